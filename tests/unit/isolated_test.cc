// isolated_test.cc - where isolated secrets lie, what they are locked by, and what is left of them.
#include "allocator/isolated/isolated.h"

#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <thread>
#include <vector>

#include "allocator/process.h"
#include "support/check.h"
#include "support/child.h"
#include "unit/arena.h"

using namespace lockfast::internal;
namespace simulated = lockfast::simulated;
using lockfast::platform::access;

TEST_CASE("a secret ends where its last page ends, behind zeros and a canary, at every size and page size") {
  for (const std::size_t page : {4096U, 16384U, 65536U}) {
    simulated::set_page_size(page);
    const by_address calls{make_arena(trapping)};
    for (std::size_t size = 0; size < 3 * page; size += size < 70 ? 1 : 509) {
      CAPTURE(page);
      CAPTURE(size);
      std::byte* const secret = calls.allocate(size);
      REQUIRE(secret != nullptr);
      const span& at = span_of(secret);
      CHECK((reinterpret_cast<std::uintptr_t>(secret) + size) % page == 0);
      CHECK(at.run() + at.run_size() == secret + size);
      CHECK(at.run_size() == (size + canary::size + page - 1) / page * page);
      CHECK(all_zero(at.run(), static_cast<std::size_t>(secret - canary::size - at.run())));
      CHECK(std::all_of(secret, secret + size, [](std::byte each) { return each == std::byte{sodium_fill_byte}; }));
      calls.deallocate(secret);
    }
    calls.arena.trim();
    CHECK(simulated::bytes_locked() == 0);
  }
  simulated::set_page_size(4096);
}

TEST_CASE("an aligned secret lies at its alignment, and the gap behind it is verified") {
  const by_address calls{make_arena(trapping)};
  for (std::size_t alignment = 1; alignment <= (1U << 17); alignment *= 2) {
    for (const std::size_t size : {0U, 1U, 100U, 4096U, 5000U}) {
      CAPTURE(alignment);
      CAPTURE(size);
      const auto made = calls.arena.allocate(size, alignment, sodium_fill_byte);
      REQUIRE(made.address != nullptr);
      CHECK(reinterpret_cast<std::uintptr_t>(made.address) % alignment == 0);
      const span& at = span_of(made.address);
      const auto gap = static_cast<std::size_t>(at.run() + at.run_size() - (made.address + size));
      CHECK(gap < (alignment < 4096 ? alignment : 4096));
      CHECK(calls.check(made.address) == 0);
      if (gap > 0) {
        made.address[size + gap - 1] ^= std::byte{1};
        CHECK(calls.check(made.address) == EFAULT);
        made.address[size + gap - 1] ^= std::byte{1};
      }
      calls.deallocate(made.address);
    }
  }
  calls.arena.trim();
  CHECK(simulated::bytes_locked() == 0);
}

TEST_CASE("check finds a changed canary and a changed zero, audit counts them, and neither changes the access") {
  const by_address calls{make_arena(trapping)};
  std::byte* const whole = calls.allocate(32);
  std::byte* const damaged = calls.allocate(100);
  CHECK(calls.arena.audit() == 0);
  for (const std::size_t before : {1U, 16U, 17U, 2000U}) {
    damaged[-static_cast<std::ptrdiff_t>(before)] ^= std::byte{1};
    CHECK(calls.protect(whole, access::none) == 0);
    CHECK(calls.check(whole) == 0);
    CHECK(calls.describe(whole).access == LOCKFAST_NOACCESS);
    CHECK(calls.check(damaged) == EFAULT);
    CHECK(calls.arena.audit() == 1);
    damaged[-static_cast<std::ptrdiff_t>(before)] ^= std::byte{1};
  }
  CHECK(calls.arena.audit() == 0);
  calls.deallocate(whole);
  calls.deallocate(damaged);
}

TEST_CASE("a freed secret is zero, in every byte that it had") {
  for (const auto& policy : {trapping, recycling}) {
    const by_address calls{make_arena(policy)};
    for (const std::size_t size : {1U, 32U, 5000U, 70000U}) {
      std::byte* const secret = calls.allocate(size);
      const span& at = span_of(secret);
      const std::byte* const run = at.run();
      const std::size_t run_size = at.run_size();
      calls.deallocate(secret);
      CHECK(all_zero(run, run_size));
    }
  }
}

TEST_CASE("at the lock limit a freed page serves the next request, whatever its size") {
  const by_address calls{make_arena(trapping)};
  constexpr std::size_t pages = 64;
  simulated::set_lock_limit(pages * 4096);
  std::vector<std::byte*> held;
  while (std::byte* const secret = calls.allocate(32)) held.push_back(secret);
  CHECK(held.size() == pages);
  for (int count = 0; count < 5; ++count) {
    calls.deallocate(held.back());
    held.pop_back();
  }
  std::byte* const larger = calls.allocate(5 * 4096 - 16);
  CHECK(larger != nullptr);
  CHECK(calls.allocate(1) == nullptr);
  CHECK(simulated::bytes_locked() == pages * 4096);
  calls.deallocate(larger);
  for (std::byte* const secret : held) calls.deallocate(secret);
}

TEST_CASE("over the lock limit the policy decides: refused, or unlocked with a receipt that says so") {
  simulated::reset();
  const by_address strict{make_arena(trapping)};
  simulated::set_lock_limit(0);
  const auto refused = strict.arena.allocate(32, 1, sodium_fill_byte);
  CHECK(refused.address == nullptr);
  CHECK(refused.refusal == ENOMEM);

  const by_address lenient{make_arena(preferring)};
  simulated::set_lock_limit(4096);
  std::byte* const locked = lenient.allocate(32);
  std::byte* const unlocked = lenient.allocate(32);
  REQUIRE(unlocked != nullptr);
  CHECK(lenient.describe(locked).backing == LOCKFAST_LOCKED);
  CHECK(lenient.describe(locked).lock_error == 0);
  CHECK(lenient.describe(unlocked).backing == LOCKFAST_UNLOCKED);
  CHECK(lenient.describe(unlocked).lock_error == ENOMEM);
  struct lockfast_statistics counted = {};
  lenient.arena.add_to(counted);
  CHECK(counted.live == 2);
  CHECK(counted.live_unlocked == 1);
  CHECK(counted.bytes_locked == 4096);
  // A place that could not be locked asks again for each tenant.
  lenient.deallocate(unlocked);
  simulated::set_lock_limit(SIZE_MAX);
  for (int round = 0; round < 100; ++round) {
    std::byte* const later = lenient.allocate(32);
    CHECK(lenient.describe(later).backing == LOCKFAST_LOCKED);
    lenient.deallocate(later);
  }
  lenient.deallocate(locked);
}

TEST_CASE("trim gives every unused page and region back, and leaves the live ones") {
  const by_address calls{make_arena(trapping)};
  const std::size_t before = simulated::bytes_reserved();
  std::vector<std::byte*> all;
  for (const std::size_t size : {32U, 5000U, 60000U, 300000U}) {
    for (int count = 0; count < 100; ++count) all.push_back(calls.allocate(size));
  }
  std::byte* const kept = calls.allocate(32);
  for (std::byte* const secret : all) calls.deallocate(secret);
  CHECK(calls.arena.trim() > 0);
  CHECK(simulated::bytes_locked() == 4096);
  CHECK(calls.check(kept) == 0);
  calls.deallocate(kept);
  CHECK(calls.arena.trim() == 4096);
  CHECK(calls.arena.trim() == 0);
  // What is left is metadata, which is kept for the next time.
  CHECK(simulated::bytes_reserved() - before < std::size_t{4} << 20);
  std::byte* const again = calls.allocate(32);
  CHECK(again != nullptr);
  calls.deallocate(again);
}

TEST_CASE("allocations less frees are the live secrets") {
  const by_address calls{make_arena(recycling)};
  std::vector<std::byte*> held;
  for (int count = 0; count < 50; ++count) held.push_back(calls.allocate(40));
  for (int count = 0; count < 20; ++count) {
    calls.deallocate(held.back());
    held.pop_back();
  }
  calls.deallocate(calls.allocate(500000));
  struct lockfast_statistics counted = {};
  calls.arena.add_to(counted);
  CHECK(counted.live == 30);
  CHECK(counted.live_isolated == 30);
  CHECK(counted.bytes_live == 30 * 40);
  CHECK(counted.allocations == 51);
  CHECK(counted.frees == 21);
  for (std::byte* const secret : held) calls.deallocate(secret);
}

TEST_CASE("the most that lived at once are no more for those that were freed while they had no pages") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "rest=seal"), "the variable");
    for (const std::size_t size : {std::size_t{32}, std::size_t{100000}}) {
      for (int round = 0; round < 100; ++round) {
        void* const secret = lockfast_malloc_isolated(size);
        prove(secret != nullptr && lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closed secret");
        (void)lockfast_trim();
        lockfast_free(secret);
      }
    }
    struct lockfast_statistics now;
    promised(lockfast::internal::process::look(now).isolated <= 2, "one of each size at most");
  }));
}

TEST_CASE("what is allocated is counted, and what is refused on the way is not") {
  const by_address calls{make_arena(trapping)};
  struct lockfast_statistics counted = {};
  const auto agrees = [&](std::uint64_t allocations, std::size_t live) {
    counted = {};
    calls.arena.add_to(counted);
    CHECK(counted.allocations == allocations);
    CHECK(counted.frees == allocations - live);
    CHECK(counted.live == live);
  };
  for (const std::size_t size : {std::size_t{32}, std::size_t{100000}}) {
    CAPTURE(size);
    counted = {};
    calls.arena.add_to(counted);
    const std::uint64_t before = counted.allocations;
    // Enough for places that are ready, whose opening is refused then.
    for (int round = 0; round < 40; ++round) calls.deallocate(calls.allocate(size));
    agrees(before + 40, 0);
    std::size_t served = 0;
    for (int round = 0; round < 10; ++round) {
      simulated::refuse_nth(1);
      std::byte* const secret = calls.allocate(size);
      simulated::refuse_nth(0);
      served += secret != nullptr;
      if (secret != nullptr) calls.deallocate(secret);
    }
    agrees(before + 40 + served, 0);
    std::byte* const secret = calls.allocate(size);
    REQUIRE(secret != nullptr);
    agrees(before + 41 + served, 1);
    calls.deallocate(secret);
    agrees(before + 41 + served, 0);
  }
  calls.arena.trim();
}

TEST_CASE("pages that are given back are inaccessible, while another secret of the same region lives") {
  for (const auto& policy : {trapping, recycling}) {
    const by_address calls{make_arena(policy)};
    std::byte* const kept = calls.allocate(32);
    const std::size_t accessible = simulated::bytes_accessible();
    std::vector<std::byte*> all;
    for (int count = 0; count < 20; ++count) all.push_back(calls.allocate(32));
    for (std::byte* const secret : all) calls.deallocate(secret);
    CHECK(calls.arena.trim() == 20 * 4096);
    CHECK(simulated::bytes_accessible() == accessible);
    calls.deallocate(kept);
    calls.arena.trim();
  }
}

TEST_CASE("a closed secret whose realloc is refused stays closed") {
  const by_address calls{make_arena(trapping)};
  std::byte* const secret = calls.allocate(32);
  REQUIRE(calls.protect(secret, access::none) == 0);
  simulated::set_lock_limit(simulated::bytes_locked());
  CHECK(calls.arena.reallocate(secret, span_of(secret), 5000).refusal == ENOMEM);
  CHECK(calls.describe(secret).access == LOCKFAST_NOACCESS);
  CHECK(calls.check(secret) == 0);
  calls.deallocate(secret);
  calls.arena.trim();
  simulated::set_lock_limit(SIZE_MAX);
}

TEST_CASE("a large place that was freed last is not the next to be used") {
  for (const auto& policy : {trapping, recycling}) {
    const by_address calls{make_arena(policy)};
    std::byte* const first = calls.allocate(300000);
    calls.deallocate(first);
    std::byte* const second = calls.allocate(300000);
    CHECK(second != first);
    calls.deallocate(second);
    std::byte* const third = calls.allocate(300000);
    CHECK(third == first);
    calls.deallocate(third);
    calls.arena.trim();
  }
}

TEST_CASE("a handler wipes a secret that the call which it interrupts is busy with, and leaves the access as that call has it") {
  const by_address calls{make_arena(trapping)};
  for (const auto before : {access::read_write, access::none}) {
    std::byte* const secret = calls.allocate(100);
    REQUIRE(calls.protect(secret, before) == 0);
    const std::size_t accessible = simulated::bytes_accessible();
    span& at = span_of(secret);
    at.set(span::state::busy);
    {
      const busy_scope interrupted(&at);
      CHECK(at.wipe_on_signal(lockfast::platform::after_wipe::as_before));
    }
    CHECK(simulated::bytes_accessible() == accessible);
    CHECK(all_zero(secret, 100));
    at.set(span::state::live);
    CHECK(calls.check(secret) == 0);
    calls.deallocate(secret);
  }
  calls.arena.trim();
}

TEST_CASE("a handler wipes what the system does not open from outside, and says where nobody can") {
  const by_address calls{make_arena(trapping)};
  for (const bool busy : {false, true}) {
    for (const bool can_be_wiped : {true, false}) {
      CAPTURE(busy);
      CAPTURE(can_be_wiped);
      std::byte* const secret = calls.allocate(100);
      REQUIRE(calls.protect(secret, access::none) == 0);
      span& at = span_of(secret);
      if (busy) at.set(span::state::busy);
      {
        const busy_scope interrupted(busy ? &at : nullptr);
        can_be_wiped ? simulated::refuse_nth(1) : simulated::refuse_from(1);
        CHECK(at.wipe_on_signal(lockfast::platform::after_wipe::as_before) == can_be_wiped);
        simulated::reset();
      }
      CHECK(all_zero(secret, 100) == can_be_wiped);
      at.set(span::state::live);
      CHECK(calls.check(secret) == 0);
      calls.deallocate(secret);
    }
  }
  calls.arena.trim();
}

TEST_CASE("a handler overwrites a secret that another thread is busy with for long") {
  std::atomic<bool> ends = false;
  std::thread other([&] {
    while (!ends) std::this_thread::yield();
  });
  const by_address calls{make_arena(trapping)};
  std::byte* const secret = calls.allocate(100);
  span& at = span_of(secret);
  at.set(span::state::busy);
  CHECK(at.wipe_on_signal(lockfast::platform::after_wipe::as_before));
  for (std::size_t byte = 0; byte < 100; ++byte) REQUIRE(secret[byte] != std::byte{sodium_fill_byte});
  at.set(span::state::live);
  calls.deallocate(secret);
  calls.arena.trim();
  ends = true;
  other.join();
}
