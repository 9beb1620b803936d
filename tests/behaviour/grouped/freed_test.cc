// freed_test.cc - each fault with a freed grouped secret, or with a pointer that is no secret's, by the line that it brings.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>
#include <vector>

#include "behaviour/grouped.h"

namespace {

constexpr std::size_t sizes[] = {0, 1, 15, 16, 17, 31, 32, 33, 64, 100, 500, 1024, 4000, 4096, 10000, max_grouped};
constexpr int reuse_attempts = 50000;  // far more allocations than it takes until any slot is used again

}  // namespace

TEST_CASE("a second free of a grouped secret ends the process, at every size and under either policy") {
  for (const char* const policy : {"freed=trap", "freed=recycle"}) {
    for (const std::size_t size : sizes) {
      CAPTURE(size);
      check_breach(in_child([&] {
                     options(policy);
                     char* const secret = secret_of(size);
                     lockfast_free(secret);
                     lockfast_free(secret);
                   }),
                   twice);
    }
  }
}

TEST_CASE("a second free after other secrets came and went ends the process") {
  check_breach(in_child([] {
                 char* const secret = secret_of(32);
                 char* const kept = secret_of(32);
                 lockfast_free(secret);
                 for (int others = 0; others < 5; ++others) {
                   char* const other = secret_of(32);
                   prove(other != secret, "a slot of its own");
                   lockfast_free(other);
                 }
                 for (int others = 0; others < 100; ++others) lockfast_free(secret_of(1000));
                 prove(lockfast_size(kept) == 32, "a neighbour");
                 lockfast_free(secret);
               }),
               twice);
}

TEST_CASE("a second free by another thread ends the process, wherever the slot rests") {
  check_breach(in_child([] {
                 char* const secret = secret_of(32);
                 std::thread([=] { lockfast_free(secret); }).join();
                 lockfast_free(secret);
               }),
               twice);
  check_breach(in_child([] {
                 char* const secret = secret_of(32);
                 lockfast_free(secret);
                 std::thread([=] { lockfast_free(secret); }).join();
               }),
               twice);
  check_breach(in_child([] {
                 // The thread that freed it first lives on, and its thread cache with it.
                 char* const secret = secret_of(32);
                 std::atomic<bool> freed = false;
                 std::thread first([&] {
                   lockfast_free(secret);
                   freed = true;
                   while (true) std::this_thread::yield();
                 });
                 while (!freed) std::this_thread::yield();
                 lockfast_free(secret);
                 first.detach();
                 prove(false, "a death before this");
               }),
               twice);
}

TEST_CASE("two threads that free the same secret at once end the process, at the latest when its slot is used twice") {
  for (int attempt = 0; attempt < 40; ++attempt) {
    const ending end = in_child([] {
      for (int round = 0; round < 3; ++round) lockfast_free(secret_of(32));
      char* const secret = secret_of(32);
      std::atomic<int> ready = 0;
      const auto release = [&] {
        lockfast_free(secret_of(32));
        ++ready;
        while (ready != 2) {
        }
        lockfast_free(secret);
      };
      std::thread other(release);
      release();
      other.join();
      // Many live, so that every slot is handed out, and some freed, so that none rests for ever.
      std::vector<char*> all;
      for (int others = 0; others < 3000; ++others) all.push_back(secret_of(32));
      for (int others = 0; others < 3000; ++others) {
        char*& one = all[static_cast<std::size_t>(others) * 7 % all.size()];
        lockfast_free(one);
        one = secret_of(32);
      }
    });
    CAPTURE(end.text);
    if (end.said("ThreadSanitizer: data race")) continue;  // which the two frees are
    CHECK(end.signal == SIGABRT);
    // One of them may find what the other has just wiped.
    const std::string freed_twice = std::string("lockfast: ").append(twice).append("\n");
    const std::string changed = std::string("lockfast: ").append(broken).append("\n");
    CHECK((end.text == freed_twice || end.text == changed));
  }
}

TEST_CASE("realloc of a freed grouped secret ends the process") {
  for (const std::size_t wanted : {16U, 32U, 64U, 100000U}) {
    check_breach(in_child([&] {
                   char* const secret = secret_of(32);
                   lockfast_free(secret);
                   (void)!lockfast_realloc(secret, wanted);
                 }),
                 twice);
  }
}

TEST_CASE("protect of a freed grouped secret ends the process") {
  check_breach(in_child([] {
                 char* const secret = secret_of(32);
                 lockfast_free(secret);
                 (void)lockfast_protect(secret, LOCKFAST_READONLY);
               }),
               twice);
}

TEST_CASE("the place that realloc left behind is free: to free it ends the process") {
  check_breach(in_child([] {
                 char* const secret = secret_of(32);
                 char* const moved = static_cast<char*>(lockfast_realloc(secret, 5000));
                 prove(moved != nullptr && moved != secret, "a secret that moved");
                 lockfast_free(secret);
               }),
               twice);
}

TEST_CASE("a pointer into a grouped secret, or beside it, ends the process") {
  for (const std::size_t size : {32U, 100U, 4096U, 16384U}) {
    const int end = static_cast<int>(size);
    for (const int offset : {1, 8, 16, end - 1, end, -1, -8}) {
      CAPTURE(size);
      CAPTURE(offset);
      check_breach(in_child([&] {
                     char* const secret = secret_of(size);
                     lockfast_free(secret + offset);
                   }),
                   inner);
    }
  }
}

TEST_CASE("a pointer into a grouped secret ends the process at protect and at realloc too") {
  check_breach(in_child([] { (void)lockfast_protect(secret_of(32) + 1, LOCKFAST_READONLY); }), inner);
  check_breach(in_child([] { (void)!lockfast_realloc(secret_of(32) + 16, 64); }), inner);
}

TEST_CASE("an invalid pointer ends the process while grouped secrets live") {
  static char here[64];
  check_breach(in_child([] {
                 (void)secret_of(32);
                 lockfast_free(here + 16);
               }),
               foreign);
  check_breach(in_child([] {
                 (void)secret_of(32);
                 void* const block = std::malloc(32);
                 prove(block != nullptr, "a heap block");
                 lockfast_free(block);
               }),
               foreign);
  check_breach(in_child([] {
                 (void)secret_of(32);
                 lockfast_free(reinterpret_cast<void*>(UINTPTR_MAX - 15));
               }),
               foreign);
}

TEST_CASE("a write to a freed slot is found when the slot is used again") {
  for (const std::size_t size : {1U, 32U, 100U, 4096U, 16384U}) {
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) {
      CAPTURE(size);
      CAPTURE(at);
      check_breach(in_child([&] {
                     char* const secret = secret_of(size);
                     char* const neighbour = secret_of(size);  // so that the page stays where it is
                     lockfast_free(secret);
                     flip(secret + at, 5);
                     for (int others = 0; others < reuse_attempts; ++others) lockfast_free(secret_of(size));
                     prove(lockfast_check(neighbour) == 0, "a neighbour");
                     prove(false, "a reuse of the slot");
                   }),
                   late);
    }
  }
}

TEST_CASE("a write to a freed slot is found when its slab is given back") {
  for (const bool exits : {false, true}) {
    CAPTURE(exits);
    check_breach(in_child([&] {
                   char* secret = nullptr;
                   const auto harm = [&] {
                     secret = secret_of(32);
                     lockfast_free(secret);
                     flip(secret + 5, 5);
                   };
                   if (exits) {
                     std::thread(harm).join();
                   } else {
                     harm();
                   }
                   (void)lockfast_trim();
                   prove(false, "a slab that is given back");
                 }),
                 late);
  }
}

TEST_CASE("a question about a pointer that is no live secret's is refused, never fatal, in a slab too") {
  check_clean(in_child([] {
    char* const secret = secret_of(32);
    char* const freed = secret_of(32);
    lockfast_free(freed);
    lockfast_receipt receipt;
    for (const char* const pointer :
         {static_cast<const char*>(freed), static_cast<const char*>(secret + 1), static_cast<const char*>(secret - 1),
          static_cast<const char*>(secret + 32), static_cast<const char*>(secret + 16)}) {
      promised(lockfast_size(pointer) == 0, "no size");
      promised(lockfast_check(pointer) == -1 && errno == EINVAL, "no check");
      promised(lockfast_describe(pointer, &receipt) == -1 && errno == EINVAL, "no receipt");
    }
    // Every address of the page.
    char* const page = reinterpret_cast<char*>(reinterpret_cast<std::uintptr_t>(secret) & ~std::uintptr_t{4095});
    std::size_t live = 0;
    for (int at = 0; at < 4096; ++at) live += lockfast_describe(page + at, &receipt) == 0;
    promised(live == 1, "one live secret");
    lockfast_free(secret);
  }));
}
