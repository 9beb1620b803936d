// every_call_test.cc - the nth call to the system refuses, for every n until none does: nothing stays locked, open or unwiped.
//
// That nothing is unlocked or released unwiped is the simulated host's own check, which ends the process.
#include <doctest/doctest.h>

#include <cerrno>
#include <csignal>
#include <cstring>
#include <vector>

#include "allocator/ledger.h"
#include "support/child.h"
#include "unit/arena.h"

using namespace lockfast::internal;
namespace simulated = lockfast::simulated;
using lockfast::platform::access;

namespace {

struct session {
  explicit session(const isolated_arena::policy& policy) : calls{make_arena(policy)} {}

  // A secret of each kind; what is refused is refused cleanly, and once.
  void run() {
    for (const std::size_t size : {0U, 32U, 32U, 5000U, 200000U, 200000U}) keep(calls.arena.allocate(size, 1, sodium_fill_byte));
    keep(calls.arena.allocate(100, 64, 0));
    keep(calls.arena.allocate(100, 1U << 16, 0));
    for (std::byte*& secret : held) {
      (void)calls.protect(secret, access::none);
      (void)calls.check(secret);
      (void)calls.protect(secret, access::read_write);
      const auto moved = calls.arena.reallocate(secret, span_of(secret), 3000);
      if (moved.address == nullptr) {
        ++refusals;
        CHECK(calls.describe(secret).size != 3000);
      } else {
        secret = moved.address;
      }
      CHECK(calls.protect(secret, access::read_write) == 0);
      std::memset(secret, 0x5a, calls.describe(secret).size);
    }
    CHECK(calls.arena.audit() == 0);
    for (std::byte* const secret : held) calls.deallocate(secret);
    calls.arena.trim();
  }

  void keep(const allocated& made) {
    if (made.address != nullptr) {
      held.push_back(made.address);
    } else {
      ++refusals;
      CHECK(made.refusal == ENOMEM);
    }
  }

  by_address calls;
  std::vector<std::byte*> held;
  int refusals = 0;
};

// How many calls can refuse: runs until none does.
std::size_t refuse_each(const isolated_arena::policy& policy) {
  for (std::size_t n = 1;; ++n) {
    CAPTURE(n);
    session one(policy);
    const std::size_t open_before = simulated::bytes_accessible();
    simulated::refuse_nth(n);
    one.run();
    const bool refused = simulated::refused();
    simulated::reset();
    CHECK(one.refusals <= 1);
    CHECK(simulated::bytes_locked() == 0);
    // All that is accessible beside what there was is metadata.
    CHECK((simulated::bytes_accessible() - open_before) % 4096 == 0);
    struct lockfast_statistics left = {};
    one.calls.arena.add_to(left);
    CHECK(left.live == 0);
    CHECK(left.bytes_reserved == 0);
    CHECK(left.bytes_locked == 0);
    if (!refused) {
      CHECK(one.refusals == 0);
      return n;
    }
  }
}

}  // namespace

TEST_CASE("a refusal of any one call leaves nothing behind, when freed secrets trap") { CHECK(refuse_each(trapping) > 30); }

TEST_CASE("a refusal of any one call leaves nothing behind, when freed secrets are recycled") {
  CHECK(refuse_each(recycling) > 20);
}

TEST_CASE("a refusal of any one call leaves nothing behind, when the lock is only preferred") {
  CHECK(refuse_each(preferring) > 30);
}

TEST_CASE("a refusal of any one call of a claim leaves no page locked") {
  alignas(4096) static unsigned char memory[3 * 4096];
  for (std::size_t n = 1; n < 10; ++n) {
    simulated::reset();
    simulated::refuse_nth(n);
    const auto refusal = ledger::of_process().claim(memory + 10, 2 * 4096);
    const bool refused = simulated::refused();
    simulated::reset();
    CHECK((refusal != 0) == refused);
    if (refusal == 0) CHECK(ledger::of_process().disclaim(memory + 10, 2 * 4096) == 0);
    CHECK(simulated::bytes_locked() == 0);
    for (std::size_t at = 0; at < sizeof memory; at += 4096) CHECK_FALSE(simulated::foreign_concealed(memory + at));
  }
}

TEST_CASE("a closed secret that the system will not open again is wiped from outside when it is freed") {
  for (const auto& policy : {trapping, recycling}) {
    simulated::reset();
    const by_address calls{make_arena(policy)};
    std::byte* const secret = calls.allocate(32);
    REQUIRE(calls.protect(secret, access::none) == 0);
    simulated::refuse_nth(1);
    calls.deallocate(secret);
    CHECK(simulated::count(simulated::call::wipe_closed) == 1);
    CHECK(all_zero(secret, 32));
    std::byte* const next = calls.allocate(32);
    REQUIRE(next != nullptr);
    calls.deallocate(next);
    calls.arena.trim();
    CHECK(simulated::bytes_locked() == 0);
  }
}

TEST_CASE("a closed secret that nobody can wipe ends the process that frees it, and says so") {
  const ending end = in_child([] {
    const by_address calls{make_arena(trapping)};
    std::byte* const secret = calls.allocate(32);
    prove(secret != nullptr && calls.protect(secret, access::none) == 0, "a closed secret");
    simulated::refuse_from(1);
    calls.deallocate(secret);
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == "lockfast: access refused: the system would not change the access of a secret's pages\n");
}
