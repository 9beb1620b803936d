// breach_test.cc - each line of docs/diagnostics.md, by the fault that brings it and the signal that follows.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>

#include "support/child.h"

namespace {

// A live secret of 32 bytes; the child leaves if it cannot be had, so that no test passes by a null pointer.
char* secret_of(std::size_t size) {
  auto* const made = static_cast<char*>(lockfast_malloc_isolated(size));
  prove(made != nullptr, "a secret");
  std::memset(made, 'x', size);
  return made;
}

void recycle() {
  lockfast_options options = {};
  options.freed = LOCKFAST_FREED_RECYCLE;
  prove(lockfast_configure(&options) == 0, "freed=recycle");
}

void check_breach(const ending& end, const char* line) {
  CAPTURE(end.text);
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == std::string("lockfast: ") + line + "\n");
}

constexpr const char* broken = "broken canary: bytes beside a secret were changed";
constexpr const char* twice = "double free: this secret was freed before";
constexpr const char* foreign = "invalid pointer: not from this allocator";
constexpr const char* inner = "interior pointer: not the start of a live secret";

}  // namespace

TEST_CASE("a changed canary ends the process at free") {
  for (const int before : {1, 8, 16}) {
    check_breach(in_child([&] {
      char* const secret = secret_of(32);
      secret[-before] ^= 1;
      lockfast_free(secret);
    }), broken);
  }
}

TEST_CASE("a changed canary ends the process when access is taken away, and when it is given back") {
  check_breach(in_child([] {
    char* const secret = secret_of(32);
    secret[-1] ^= 1;
    (void)lockfast_protect(secret, LOCKFAST_NOACCESS);
  }), broken);
  check_breach(in_child([] {
    char* const secret = secret_of(32);
    secret[-1] ^= 1;
    (void)lockfast_protect(secret, LOCKFAST_READONLY);
  }), broken);
}

TEST_CASE("a changed canary ends the process at realloc") {
  check_breach(in_child([] {
    char* const secret = secret_of(32);
    secret[-3] ^= 1;
    (void)!lockfast_realloc(secret, 64);
  }), broken);
}

TEST_CASE("a changed gap behind an aligned secret ends the process at free") {
  check_breach(in_child([] {
    auto* const secret = static_cast<char*>(lockfast_aligned_alloc(64, 5000));
    prove(secret != nullptr, "a secret");
    secret[5000] ^= 1;
    lockfast_free(secret);
  }), broken);
}

TEST_CASE("a second free ends the process, under either policy for freed secrets") {
  const auto free_twice = [] {
    char* const secret = secret_of(32);
    lockfast_free(secret);
    lockfast_free(secret);
  };
  check_breach(in_child(free_twice), twice);
  check_breach(in_child([&] {
    recycle();
    free_twice();
  }), twice);
}

TEST_CASE("a second free after other secrets came and went ends the process") {
  check_breach(in_child([] {
    char* const secret = secret_of(32);
    lockfast_free(secret);
    for (int others = 0; others < 20; ++others) lockfast_free(secret_of(32));
    lockfast_free(secret);
  }), twice);
}

TEST_CASE("use of a freed secret in protect and realloc ends the process") {
  check_breach(in_child([] {
    char* const secret = secret_of(32);
    lockfast_free(secret);
    (void)lockfast_protect(secret, LOCKFAST_READONLY);
  }), twice);
  check_breach(in_child([] {
    char* const secret = secret_of(32);
    lockfast_free(secret);
    (void)!lockfast_realloc(secret, 64);
  }), twice);
}

TEST_CASE("a pointer that is not ours ends the process: stack, heap, null page, end of memory") {
  check_breach(in_child([] {
    char here = 0;
    lockfast_free(&here);
  }), foreign);
  check_breach(in_child([] {
    void* const block = std::malloc(32);
    prove(block != nullptr, "a heap block");
    lockfast_free(block);
  }), foreign);
  check_breach(in_child([] { lockfast_free(reinterpret_cast<void*>(16)); }), foreign);
  check_breach(in_child([] { lockfast_free(reinterpret_cast<void*>(UINTPTR_MAX)); }), foreign);
  check_breach(in_child([] { (void)lockfast_protect(reinterpret_cast<void*>(4096), LOCKFAST_READONLY); }), foreign);
}

TEST_CASE("a pointer into a secret, before it, or behind it ends the process, and the secret is still whole") {
  for (const int offset : {1, 31, -1, -16, 32}) {
    check_breach(in_child([&] {
      char* const secret = secret_of(32);
      lockfast_free(secret + offset);
    }), inner);
  }
}

TEST_CASE("a write to a freed secret is found when its pages are used again, at every byte of it and of its canary") {
  for (const int offset : {-16, -1, 0, 5, 31}) {
    CAPTURE(offset);
    check_breach(in_child([&] {
      recycle();
      char* const secret = secret_of(32);
      lockfast_free(secret);
      secret[offset] = 1;
      for (int others = 0; others < 100000; ++others) lockfast_free(secret_of(32));
      prove(false, "a reuse of the pages");
    }), "write after free: a freed secret's bytes were changed");
  }
}

TEST_CASE("the canary of the place's earlier secret is not that of the next one") {
  check_breach(in_child([] {
    char* secret = secret_of(32);
    char* const place = secret;
    std::array<char, 16> earlier;
    std::memcpy(earlier.data(), place - earlier.size(), earlier.size());
    for (int others = 0; others < 100000; ++others) {
      lockfast_free(secret);
      secret = secret_of(32);
      if (secret == place) break;
    }
    prove(secret == place, "a reuse of the place");
    std::memcpy(place - earlier.size(), earlier.data(), earlier.size());
    lockfast_free(secret);
  }), broken);
}

TEST_CASE("a breach that a client reports ends the process with the line of its reason") {
  check_breach(in_child([] { lockfast_breach(LOCKFAST_ACCESS_REFUSED); }),
               "access refused: the system would not change the access of a secret's pages");
}

TEST_CASE("options that nobody knows, or that come twice, end the process at the first use, and the line says which") {
  constexpr const char* lines[][2] = {
      {"lock=always", "an unknown key or value: 'lock=always'; values of lock: required, preferred"},
      {"colour=red",
       "an unknown key or value: 'colour=red'; keys: lock, hidden, fork, freed, placement, native_placement, notice, crash, "
       "quarantine, rest, idle, report_map, report_addresses, report"},
      {"lock=required,freed", "an unknown key or value: 'freed'; values of freed: trap, recycle"},
      {"freed=trap,freed=recycle", "a key twice: 'freed'"}};
  for (const auto& [text, fault] : lines) {
    check_breach(in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", text), "the variable");
      (void)!lockfast_malloc(1);
    }), (std::string("bad options: LOCKFAST_OPTIONS has ") + fault).c_str());
  }
}

TEST_CASE("a question about a pointer that is no live secret's is refused, never fatal") {
  const ending end = in_child([] {
    char* const secret = secret_of(32);
    char here = 0;
    lockfast_receipt receipt;
    for (const char* const pointer : std::initializer_list<const char*>{nullptr, &here, secret + 1}) {
      promised(lockfast_size(pointer) == 0, "no size");
      promised(lockfast_check(pointer) == -1 && errno == EINVAL, "no check");
      promised(lockfast_describe(pointer, &receipt) == -1 && errno == EINVAL, "no receipt");
    }
    lockfast_free(secret);
    promised(lockfast_size(secret) == 0, "no size of a freed one");
    promised(lockfast_describe(secret, &receipt) == -1, "no receipt of a freed one");
    lockfast_free(nullptr);
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
