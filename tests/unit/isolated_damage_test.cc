// isolated_damage_test.cc - who finds bytes beside an isolated secret, or of a freed one, that were changed while its pages were
// inaccessible or when a call is refused.
//
// The simulated host lets a test write where the system would trap. Each test runs in a child.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <csignal>
#include <string>

#include "support/check.h"
#include "support/child.h"
#include "unit/arena.h"
#include "unit/closed_secret.h"

using namespace lockfast::internal;
namespace simulated = lockfast::simulated;
using lockfast::platform::access;

namespace {

void check_broken(const ending& end) {
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == "lockfast: broken canary: bytes beside a secret were changed\n");
}

// Not inlined: a compiler that sees through it warns of a place before an object.
[[gnu::noinline]] void change(void* secret, std::ptrdiff_t at) { static_cast<unsigned char*>(secret)[at] ^= 1; }

}  // namespace

TEST_CASE("an opening finds a canary that was changed while the secret was closed") {
  for (const auto opened : {access::read, access::read_write}) {
    check_broken(in_child([&] {
      const by_address calls{make_arena(trapping)};
      std::byte* const secret = calls.allocate(32);
      prove(secret != nullptr && calls.protect(secret, access::none) == 0, "a closed secret");
      change(secret, -1);
      (void)calls.protect(secret, opened);
    }));
  }
}

TEST_CASE("a realloc finds a changed canary where there is no room for the new size, too") {
  check_broken(in_child([] {
    const by_address calls{make_arena(trapping)};
    std::byte* const secret = calls.allocate(32);
    prove(secret != nullptr, "a secret");
    simulated::set_lock_limit(simulated::bytes_locked());
    prove(calls.arena.reallocate(secret, span_of(secret), 5000).refusal == ENOMEM, "no room");
    change(secret, -1);
    (void)calls.arena.reallocate(secret, span_of(secret), 5000);
  }));
}

TEST_CASE("what seals a closed secret finds its changed canary") {
  check_broken(in_child([] {
    void* const secret = closed_secret(32, 1);
    change(secret, -1);
    (void)lockfast_trim();
  }));
}

TEST_CASE("what hands a closed secret's hidden page over finds its changed canary, and the gap's") {
  for (const std::ptrdiff_t at : {-1, 40}) {
    CAPTURE(at);
    check_broken(in_child([&] {
      options("native_placement=isolated");
      simulated::set_lock_limit(0);
      simulated::set_hidden_limit(3 * lockfast::platform::page_size());
      const auto closed = [] {
        void* const secret = lockfast_aligned_alloc(64, 40);
        prove(secret != nullptr && lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closed secret");
        return secret;
      };
      // The first one gives its page back, so that the next page can be in two places for a moment.
      void* const first = closed();
      void* const second = closed();
      prove(!is_sealed(first) && !is_sealed(second), "in pages of their own");
      change(second, at);
      (void)closed();
    }));
  }
}

TEST_CASE("under freed=recycle a write to a freed secret is found when its pages are given back") {
  for (const std::size_t size : {32U, 100000U}) {
    CAPTURE(size);
    const ending end = in_child([&] {
      const by_address calls{make_arena(recycling)};
      std::byte* const secret = calls.allocate(size);
      prove(secret != nullptr, "a secret");
      calls.deallocate(secret);
      change(secret, 5);
      (void)calls.arena.trim();
    });
    CHECK(end.signal == SIGABRT);
    CHECK(end.text == "lockfast: write after free: a freed secret's bytes were changed\n");
  }
}

TEST_CASE("a stray write far in front of a freed secret is wiped before its page is given back") {
  // The simulated host ends the process where what is unlocked is not wiped.
  check_clean(in_child([] {
    const by_address calls{make_arena(recycling)};
    std::byte* const secret = calls.allocate(32);
    prove(secret != nullptr, "a secret");
    change(secret, -1000);
    calls.deallocate(secret);
    promised(calls.arena.trim() != 0 && simulated::bytes_locked() == 0, "given back");
  }));
}
