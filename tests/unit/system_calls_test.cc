// system_calls_test.cc - what a warm pair costs in calls to the system, and what the end of pages does.
#include <doctest/doctest.h>

#include "unit/arena.h"

using namespace lockfast::internal;
namespace simulated = lockfast::simulated;

namespace {

void warm_up(const by_address& calls, std::size_t size) {
  for (int round = 0; round < 200; ++round) calls.deallocate(calls.allocate(size));
}

}  // namespace

TEST_CASE("a warm pair under freed=recycle makes no call to the system, at every size up to 1 MiB") {
  const by_address calls{make_arena(recycling)};
  for (const std::size_t size : {0U, 1U, 32U, 4080U, 4081U, 16384U, 65000U, 1048576U}) {
    CAPTURE(size);
    warm_up(calls, size);
    const std::size_t before = simulated::total_count();
    for (int round = 0; round < 100; ++round) calls.deallocate(calls.allocate(size));
    CHECK(simulated::total_count() == before);
  }
}

TEST_CASE("a warm pair under freed=trap changes the access of its own pages, twice, and nothing else") {
  const by_address calls{make_arena(trapping)};
  for (const std::size_t size : {32U, 16384U, 1048576U}) {
    CAPTURE(size);
    warm_up(calls, size);
    const std::size_t before = simulated::total_count();
    const std::size_t protects = simulated::count(simulated::call::protect);
    for (int round = 0; round < 100; ++round) calls.deallocate(calls.allocate(size));
    CHECK(simulated::count(simulated::call::protect) - protects == 200);
    CHECK(simulated::total_count() - before == 200);
  }
}

TEST_CASE("a change of access is one call, and none when the access is the same") {
  const by_address calls{make_arena(trapping)};
  std::byte* const secret = calls.allocate(32);
  const std::size_t before = simulated::total_count();
  CHECK(calls.protect(secret, lockfast::platform::access::none) == 0);
  CHECK(calls.protect(secret, lockfast::platform::access::none) == 0);
  CHECK(calls.protect(secret, lockfast::platform::access::read) == 0);
  CHECK(simulated::total_count() - before == 2);
  calls.deallocate(secret);
}

TEST_CASE("a large secret that is too large to rest is unlocked and released, and its pages are not closed or opened on the way") {
  const by_address calls{make_arena(trapping)};
  constexpr std::size_t too_large = std::size_t{32} << 20;
  for (const bool is_closed : {false, true}) {
    CAPTURE(is_closed);
    std::byte* const secret = calls.allocate(too_large);
    REQUIRE(secret != nullptr);
    if (is_closed) REQUIRE(calls.protect(secret, lockfast::platform::access::none) == 0);
    const std::size_t protects = simulated::count(simulated::call::protect);
    const std::size_t reserved = simulated::bytes_reserved();
    calls.deallocate(secret);
    CHECK(simulated::count(simulated::call::protect) - protects == is_closed);
    CHECK(simulated::bytes_reserved() + too_large <= reserved);
    CHECK(simulated::bytes_locked() == 0);
  }
}

TEST_CASE("a page that rests closed goes back by two calls, and is not opened for that") {
  const by_address calls{make_arena(trapping)};
  std::byte* const stays = calls.allocate(32);
  std::byte* const goes = calls.allocate(32);
  calls.deallocate(goes);
  const std::size_t before = simulated::total_count();
  CHECK(calls.arena.trim() == 4096);
  CHECK(simulated::total_count() - before == 2);
  CHECK(simulated::bytes_locked() == 4096);
  calls.deallocate(stays);
}
