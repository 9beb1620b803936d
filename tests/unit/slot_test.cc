// slot_test.cc - what a slot's word says of it, and which slot an address lies in.
#include "allocator/grouped/slot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "allocator/grouped/fast_path.h"
#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "platform/simulated/simulated.h"

using namespace lockfast::internal;
namespace platform = lockfast::platform;

namespace {

constexpr slot::state states[] = {slot::state::free, slot::state::live, slot::state::busy, slot::state::entering};

}  // namespace

TEST_CASE("a slot's word keeps state, size and place apart, and a new tenant begins with his own") {
  const slot::header none(0);
  const slot::header first = none.next(48, 5);
  for (const slot::state each : states) {
    const slot::header known = first.in(each);
    CHECK(known.current_state() == each);
    CHECK(known.shift() == 48);
    CHECK(known.slack() == 5);
    CHECK(known.tenant() == first.tenant());
    CHECK(known.with_slack(7).slack() == 7);
    CHECK(known.with_slack(7).with_slack(5) == known);
  }
  const slot::header largest = first.next(slot::max_shift, slot::max_slack).in(slot::state::live);
  CHECK(largest.shift() == slot::max_shift);
  CHECK(largest.slack() == slot::max_slack);
  CHECK(largest.tenant() != first.tenant());
  CHECK(largest.next().tenant() != largest.tenant());
  CHECK(largest.next().is_blank());
  // After 2^32 tenants the count begins anew, and nothing of it gets into the rest.
  CHECK(slot::header(0xffffffff00000000U).next() == none);
}

TEST_CASE("a slot becomes blank by a free only when its live secret fills it") {
  const slot::header blank = slot::header(0).next().next();
  CHECK(blank.blank_entering() == blank.in(slot::state::entering));
  CHECK(blank.next_live() == blank.next().in(slot::state::live));
  CHECK(blank.next_live(7) == blank.next(0, 7).in(slot::state::live));
  CHECK(blank.next_live().tenant_of_live_and_full() == blank.next_live().tenant());
  for (const slot::state each : states) {
    CHECK(blank.in(each).is_live_and_full() == (each == slot::state::live));
    CHECK_FALSE(blank.next(16, 0).in(each).is_live_and_full());
    CHECK_FALSE(blank.next(0, 1).in(each).is_live_and_full());
    CHECK_FALSE(blank.next(slot::max_shift, slot::max_slack).in(each).is_live_and_full());
    CHECK(slot::header(0).in(each).is_live_and_full() == (each == slot::state::live));
  }
  CHECK(blank.in(slot::state::live).vacated() == blank);
}

TEST_CASE("a freed slot keeps its generation and its shift, and nothing else") {
  const slot::header live = slot::header(0).next(48, 5).with_access(platform::access::none).in(slot::state::live);
  CHECK(live.freed().is_free());
  CHECK(live.freed().shift() == 48);
  CHECK(live.freed().slack() == 0);
  CHECK(live.freed().access() == platform::access::read_write);
  CHECK(live.freed().tenant() == live.tenant());
  CHECK(slot::header(0).next(0, 5).in(slot::state::live).freed().is_blank());
}

TEST_CASE("the slot of an address is found for every slot size, and none before the first") {
  alignas(16) static std::byte place[1];
  constexpr std::size_t run_size = std::size_t{252} * 1024;
  // An address in a run that is not there: nothing is read.
  const auto at = [](std::ptrdiff_t offset) {
    return reinterpret_cast<std::byte*>(reinterpret_cast<std::uintptr_t>(place) + static_cast<std::uintptr_t>(offset));
  };
  for (std::size_t index = 0; index < size_class::count; ++index) {
    slab one(slab_region::none());
    const std::size_t capacity = size_class::capacity(index);
    const std::size_t stride = capacity + slab::overhead;
    REQUIRE(one.cut(place, run_size, capacity));
    std::size_t wrong = 0;
    for (std::size_t offset = 0; offset + slab::margin < run_size; ++offset) {
      wrong += one.index_of(at(static_cast<std::ptrdiff_t>(slab::margin + offset))) != offset / stride;
    }
    for (std::ptrdiff_t offset = -4096; offset < static_cast<std::ptrdiff_t>(slab::margin); ++offset) {
      wrong += one.index_of(at(offset)) < run_size / stride;
    }
    CHECK(wrong == 0);
  }
}

TEST_CASE("slots of every size class are filled, in part too, wiped in every byte, and found blank again") {
  const std::size_t run_size = 16 * platform::page_size();
  std::byte* const run = platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
  REQUIRE(run != nullptr);
  slab one(slab_region::none());
  for (std::size_t which = 0; which < size_class::count && size_class::capacity(which) <= slab::max_fast; ++which) {
    const std::size_t capacity = size_class::capacity(which);
    CAPTURE(capacity);
    REQUIRE(one.cut(run, run_size, capacity));
    REQUIRE(one.open_more({page_run::lock_wanted::if_possible, ECANCELED, platform::default_key}) == 0);
    const std::size_t index = one.take_free(0);
    for (const std::size_t size : {capacity, capacity - 1, capacity - 15, capacity}) {
      std::byte* const secret = one.occupy_fast(index, size);
      REQUIRE(secret == one.place(index));
      REQUIRE(one.holds(index, secret));
      CHECK(one.size(index) == size);
      CHECK(std::all_of(secret, secret + size, [](std::byte each) { return each == std::byte{0}; }));
      CHECK(one.intact(index));
      for (std::byte* const beside : {secret - 1, secret + size}) {
        *beside ^= std::byte{1};
        std::size_t found = 0;
        CHECK_FALSE(one.vacate(secret, found));
        if (size == capacity) CHECK_FALSE(one.vacate_fast(secret, one.offset_of(secret), found));
        *beside ^= std::byte{1};
      }
      std::fill_n(secret, size, std::byte{0xff});
      std::size_t found = 0;
      REQUIRE((size == capacity ? one.vacate_fast(secret, one.offset_of(secret), found) : one.vacate(secret, found)));
      CHECK(found == index);
      CHECK(one.header(index).is_blank());
      CHECK(std::all_of(secret - slab::margin, secret + capacity + slab::margin,
                        [](std::byte each) { return each == std::byte{0}; }));
    }
    one.put_free(index);
    REQUIRE(one.retire());
  }
  platform::release(run, run_size);
}

TEST_CASE("a slab owns the addresses of slots that have records, and of them frees a live secret's alone") {
  const std::size_t run_size = 4 * platform::page_size();
  std::byte* const run = platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
  REQUIRE(run != nullptr);
  slab one(slab_region::none());
  for (const std::size_t alignment : {std::size_t{16}, std::size_t{32}, std::size_t{64}}) {
    for (std::size_t which = 0; which < size_class::count && size_class::capacity(which) <= slab::max_fast; ++which) {
      const std::size_t capacity = size_class::capacity(which);
      CAPTURE(capacity);
      CAPTURE(alignment);
      REQUIRE(one.cut(run, run_size, capacity, alignment));
      const std::byte* const first = one.place(0) - slab::margin;
      const std::size_t stride = static_cast<std::size_t>(one.place(1) - one.place(0));
      const std::size_t records = static_cast<std::size_t>(run + run_size - first) / stride;
      REQUIRE(one.open_more({page_run::lock_wanted::if_possible, ECANCELED, platform::default_key}) == 0);
      const std::size_t index = one.take_free(0);
      std::byte* const secret = one.occupy_fast(index, capacity);
      std::size_t found = 0;
      std::size_t wrong = 0;
      for (std::byte* at = run; at != run + run_size; ++at) {
        const bool is_owned = at >= first && at < first + records * stride;
        wrong += one.owns(at) != is_owned;
        wrong += is_owned && one.index_of(at) >= records;
        wrong += is_owned && at != secret && one.vacate_fast(at, one.offset_of(at), found);
      }
      CHECK(wrong == 0);
      CHECK_FALSE(one.owns(run - 1));
      CHECK_FALSE(one.owns(run + run_size));
      REQUIRE(one.vacate_fast(secret, one.offset_of(secret), found));
      one.put_free(index);
      REQUIRE(one.retire());
    }
  }
  platform::release(run, run_size);
}

TEST_CASE("a slab of nobody's has no secret anywhere") {
  const slab& none = slab_region::slab_of_none();
  for (const std::uintptr_t at : {std::uintptr_t{0}, std::uintptr_t{16}, std::uintptr_t{region_unit - 16}}) {
    auto* const address = reinterpret_cast<std::byte*>(at);
    CHECK_FALSE(none.begins_slot(address));
    CHECK_FALSE(none.holds(none.index_of(address), address));
  }
}

TEST_CASE("slabs that come after one another in one place have canaries of their own") {
  const std::size_t run_size = 4 * platform::page_size();
  std::byte* const run = platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
  REQUIRE(run != nullptr);
  std::byte fronts[2][slab::margin];
  for (auto& front : fronts) {
    slab one(slab_region::none());
    REQUIRE(one.cut(run, run_size, 32));
    REQUIRE(one.open_more({page_run::lock_wanted::if_possible, ECANCELED, platform::default_key}) == 0);
    const std::size_t index = one.take_free(0);
    std::byte* const secret = one.occupy_fast(index, 32);
    std::copy_n(secret - slab::margin, slab::margin, front);
    std::size_t found = 0;
    REQUIRE(one.vacate_fast(secret, one.offset_of(secret), found));
    one.put_free(index);
    REQUIRE(one.retire());
  }
  CHECK_FALSE(std::equal(fronts[0], fronts[0] + slab::margin, fronts[1]));
  platform::release(run, run_size);
}

TEST_CASE("a slab's pages are wiped and inaccessible once they are given back, those that a crash has closed as well") {
  // The simulated host ends the process where what is unlocked is not wiped.
  for (const bool closed : {false, true}) {
    CAPTURE(closed);
    const std::size_t run_size = 4 * platform::page_size();
    std::byte* const run = platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
    REQUIRE(run != nullptr);
    const std::size_t accessible = lockfast::simulated::bytes_accessible();
    slab one(slab_region::none());
    REQUIRE(one.cut(run, run_size, 32));
    REQUIRE(one.open_more({page_run::lock_wanted::always, ECANCELED, platform::default_key}) == 0);
    const std::size_t opened = lockfast::simulated::bytes_accessible() - accessible;
    const std::size_t index = one.take_free(0);
    std::byte* const secret = one.occupy_fast(index, 32);
    std::fill_n(secret, 32, std::byte{0xff});
    if (closed) {
      REQUIRE(one.leave_closed());
      // To a handler, once: a second fault there has another cause.
      CHECK(one.show_absent(secret));
      CHECK_FALSE(one.show_absent(secret));
      one.close_absent();
      CHECK(one.retire_closed());
    } else {
      std::size_t found = 0;
      REQUIRE(one.vacate_fast(secret, one.offset_of(secret), found));
      one.put_free(index);
      CHECK(one.retire());
    }
    CHECK(lockfast::simulated::bytes_accessible() == accessible);
    CHECK(std::all_of(run, run + opened, [](std::byte each) { return each == std::byte{0}; }));
    platform::release(run, run_size);
  }
}
