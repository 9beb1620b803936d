// thread_cache_test.cc - what a thread's bin of free slots holds, for how long, and in what order it gives it out.
#include "allocator/grouped/thread_cache.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "allocator/grouped/fast_path.h"
#include "allocator/grouped/slab_region.h"

using namespace lockfast::internal;

namespace {

slot_ref numbered(std::size_t index) { return {&slab_region::slab_of_none(), index}; }

// A bin beside a plain account of it.
struct model {
  explicit model(std::size_t depth_of_bin) : depth(depth_of_bin), tested(depth_of_bin) {}

  void add() {
    tested.note_asked();
    REQUIRE(tested.wanted() <= std::min(depth - depth / 4, cache_bin::max_batch));
    std::vector<slot_ref> batch;
    while (batch.size() < tested.wanted()) batch.push_back(numbered(made++));
    tested.add(batch.data(), batch.size());
    for (const slot_ref& one : batch) held.emplace(one.index, frees_to_rest(one.index));
  }
  bool take(slot_ref& out) {
    if (!tested.take(out)) return false;
    note_taken(out);
    return true;
  }
  void note_taken(const slot_ref& out) {
    REQUIRE(held.erase(out.index) == 1);
    live.push_back(out.index);
  }
  bool rest() {
    if (!tested.has_room() && !tested.make_room()) return false;
    std::swap(live[random() % live.size()], live.back());
    tested.rest(numbered(live.back()));
    freed_at[live.back()] = ++frees;
    held.emplace(live.back(), 0);
    live.pop_back();
    return true;
  }
  // How many frees of others there were since a slot's own; many for one that was never freed here.
  std::size_t frees_to_rest(std::size_t index) { return freed_at.contains(index) ? frees - freed_at[index] : made + frees; }

  std::size_t depth;
  cache_bin tested;
  std::mt19937 random{7};
  random_choice chance;
  std::size_t made = 0;
  std::size_t frees = 0;
  std::map<std::size_t, std::size_t> freed_at;
  std::map<std::size_t, std::size_t> held;
  std::vector<std::size_t> live;
};

// What an allocation does.
std::size_t served(model& with) {
  slot_ref out;
  if (with.tested.wants_more()) with.add();
  if (!with.take(out)) {
    if (!with.tested.make_ready(with.chance)) {
      with.add();
      if (!with.tested.make_ready(with.chance)) {
        REQUIRE_FALSE(with.tested.empty());
        out = with.tested.take_at_shortage(with.chance);
        with.note_taken(out);
        return out.index;
      }
    }
    REQUIRE(with.take(out));
  }
  return out.index;
}

}  // namespace

TEST_CASE("a bin gives out each slot once, never more than its depth rest in it, and a freed one rests a quarter of the depth") {
  for (std::size_t depth = cache_bin::min_depth; depth <= cache_bin::max_depth; ++depth) {
    CAPTURE(depth);
    model one(depth);
    for (int round = 0; round < 8000; ++round) {
      // Waves: mostly allocations, then mostly frees.
      const bool allocates = one.live.empty() || one.random() % 8 < (round / 500 % 2 == 0 ? 5U : 3U);
      if (allocates) {
        const bool only_resting = !one.tested.any_rested();
        const std::size_t got = served(one);
        if (!only_resting) REQUIRE(one.frees_to_rest(got) >= depth / 4);
      } else if (!one.rest()) {
        for (std::size_t given = 0; given < one.tested.surplus(); ++given) {
          const slot_ref out = one.tested.take_oldest();
          REQUIRE(one.held.erase(out.index) == 1);
          one.freed_at.erase(out.index);
        }
        REQUIRE(one.rest());
      }
      REQUIRE(one.held.size() <= depth);
      REQUIRE(one.tested.empty() == one.held.empty());
      REQUIRE(one.tested.frees() == one.frees);
    }
    while (!one.tested.empty()) REQUIRE(one.held.erase(one.tested.take_oldest().index) == 1);
    CHECK(one.held.empty());
  }
}

TEST_CASE("what a bin gives out next is drawn from a pool: it is not the order of the frees, nor the same twice") {
  const auto order = [] {
    model one(cache_bin::max_depth);
    std::vector<std::size_t> found;
    for (int pair = 0; pair < 1000; ++pair) {
      found.push_back(served(one));
      REQUIRE(one.rest());
    }
    return found;
  };
  const std::vector<std::size_t> first = order();
  CHECK(first != order());
  // A first in, first out queue gives each slot out at one distance from its last time.
  std::map<std::size_t, std::size_t> last;
  std::set<std::size_t> distances;
  for (std::size_t at = 0; at < first.size(); ++at) {
    if (last.contains(first[at])) distances.insert(at - last[first[at]]);
    last[first[at]] = at;
  }
  CHECK(distances.size() > 20);
  CHECK(*distances.begin() > cache_bin::max_depth / 4);
}

TEST_CASE("in a forked child a bin is empty, keeps its count of frees, and can be filled again") {
  model one(60);
  for (int pair = 0; pair < 100; ++pair) {
    (void)served(one);
    REQUIRE(one.rest());
  }
  one.tested.forget();
  one.held.clear();
  CHECK(one.tested.empty());
  CHECK(one.tested.frees() == one.frees);
  slot_ref out;
  CHECK_FALSE(one.tested.take(out));
  for (int pair = 0; pair < 100; ++pair) {
    (void)served(one);
    REQUIRE(one.rest());
  }
}
