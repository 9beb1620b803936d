// span_list_test.cc - a freed span rests before it is used again, and the list's count of spans is bounded.
#include "allocator/isolated/span_list.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <set>
#include <vector>

#include "unit/arena.h"

using namespace lockfast::internal;

TEST_CASE("a freed secret's place is not used again before the quarantine's depth of others are freed") {
  const by_address calls{make_arena(recycling)};
  std::vector<std::byte*> all;
  for (int count = 0; count < 200; ++count) all.push_back(calls.allocate(32));
  for (std::byte* const secret : all) calls.deallocate(secret);

  std::byte* const freed = calls.allocate(32);
  calls.deallocate(freed);
  for (std::size_t others = 1; others < span_list::max_quarantined; ++others) {
    std::byte* const other = calls.allocate(32);
    CHECK(other != freed);
    calls.deallocate(other);
  }
}

TEST_CASE("which ready place is used next differs from one round to the next") {
  const by_address calls{make_arena(recycling)};
  std::vector<std::byte*> all;
  for (int count = 0; count < 200; ++count) all.push_back(calls.allocate(32));
  for (std::byte* const secret : all) calls.deallocate(secret);
  std::vector<std::byte*> first;
  std::vector<std::byte*> second;
  for (auto* const round : {&first, &second}) {
    for (int count = 0; count < 50; ++count) round->push_back(calls.allocate(32));
    for (std::byte* const secret : *round) calls.deallocate(secret);
  }
  CHECK(first != second);
  CHECK(std::set<std::byte*>(first.begin(), first.end()).size() == first.size());
}

TEST_CASE("ready places are not used in an order that the order of the frees tells") {
  // By when each place was freed: the same in every arena, were the next place the oldest, the newest, or any by a rule.
  std::vector<std::size_t> orders[2];
  for (auto& order : orders) {
    const by_address calls{make_arena(recycling)};
    std::vector<std::byte*> all;
    for (int count = 0; count < 200; ++count) all.push_back(calls.allocate(32));
    for (std::byte* const secret : all) calls.deallocate(secret);
    for (int count = 0; count < 50; ++count) {
      const auto found = std::find(all.begin(), all.end(), calls.allocate(32));
      REQUIRE(found != all.end());
      order.push_back(static_cast<std::size_t>(found - all.begin()));
    }
    for (const std::size_t at : order) calls.deallocate(all[at]);
    calls.arena.trim();
  }
  CHECK(orders[0] != orders[1]);
}

TEST_CASE("no more pages rest than the pool's budget and the quarantine allow") {
  isolated_arena::policy small = recycling;
  // Of each page count a sixteenth of the budget rests in quarantine, and an eighth is ready.
  small.idle_pages = 80;
  const by_address calls{make_arena(small)};
  std::vector<std::byte*> all;
  for (int count = 0; count < 500; ++count) all.push_back(calls.allocate(32));
  for (std::byte* const secret : all) calls.deallocate(secret);
  CHECK(lockfast::simulated::bytes_locked() == (5 + 10) * lockfast::platform::page_size());
  calls.arena.trim();
  CHECK(lockfast::simulated::bytes_locked() == 0);
}

TEST_CASE("a place without its lock is no spare one") {
  isolated_arena::policy small = preferring;
  small.idle_pages = 80;
  small.spare_pages = 100;
  const by_address calls{make_arena(small)};
  const std::size_t page = lockfast::platform::page_size();
  lockfast::simulated::set_lock_limit(40 * page);
  std::vector<std::byte*> all;
  for (int count = 0; count < 70; ++count) all.push_back(calls.allocate(32));
  REQUIRE(span_of(all[39]).lock_error() == 0);
  REQUIRE(span_of(all[40]).lock_error() != 0);
  const auto idle_count = [in = &span_of(all[0]).home] {
    return std::count_if(in->begin(), in->end(), [](const span& at) { return at.current_state() == span::state::idle; });
  };
  // As many as rest in quarantine or are ready; then those without a lock have those in quarantine leave, and leave themselves.
  for (int at = 0; at < 15; ++at) calls.deallocate(all[static_cast<std::size_t>(at)]);
  CHECK(idle_count() == 15);
  for (int at = 40; at < 70; ++at) calls.deallocate(all[static_cast<std::size_t>(at)]);
  CHECK(idle_count() == 15 + 5);
  for (int at = 15; at < 40; ++at) calls.deallocate(all[static_cast<std::size_t>(at)]);
  CHECK(idle_count() == 15 + 5 + 20);
  calls.arena.trim();
  CHECK(idle_count() == 0);
  lockfast::simulated::set_lock_limit(SIZE_MAX);
}
