// slot_test.cc - what a slot's word says of it, and which slot an address lies in.
#include "allocator/grouped/slot.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"

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
  CHECK(blank.tenant_of_blank() == blank.tenant());
  for (const slot::state each : states) {
    CHECK(blank.blank_in(each) == blank.in(each));
    CHECK(blank.in(each).is_live_and_full() == (each == slot::state::live));
    CHECK_FALSE(blank.next(16, 0).in(each).is_live_and_full());
    CHECK_FALSE(blank.next(0, 1).in(each).is_live_and_full());
    CHECK_FALSE(blank.next(slot::max_shift, slot::max_slack).in(each).is_live_and_full());
    CHECK(slot::header(0).in(each).is_live_and_full() == (each == slot::state::live));
  }
  CHECK(blank.in(slot::state::live).vacated() == blank);
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

TEST_CASE("a slab of larger slots does not free a secret by the path of the smallest") {
  const std::size_t run_size = 4 * platform::page_size();
  std::byte* const run = platform::reserve(run_size, platform::page_size(), platform::fork_policy::absent).address;
  REQUIRE(run != nullptr);
  slab one(slab_region::none());
  REQUIRE(one.cut(run, run_size, 128));
  REQUIRE(one.open_more({slab::opening::lock::if_possible, ECANCELED, platform::default_key}) == 0);
  const std::size_t index = one.take_free(0);
  std::byte* const secret = one.occupy(index, 128, 0, 'x');
  std::size_t found = 0;
  CHECK_FALSE(one.vacate_fast(secret, found));
  CHECK(std::all_of(secret, secret + 128, [](std::byte each) { return each == std::byte{'x'}; }));
  REQUIRE(one.vacate(secret, found));
  CHECK(found == index);
  CHECK(std::all_of(secret - slab::margin, secret + 128 + slab::margin, [](std::byte each) { return each == std::byte{0}; }));
  one.put_free(index);
  CHECK(one.retire());
  platform::release(run, run_size);
}

TEST_CASE("a region of nobody's has no secret anywhere in it") {
  slab_region& none = slab_region::none();
  CHECK(none.empty());
  for (const std::uintptr_t at : {std::uintptr_t{0}, std::uintptr_t{16}, std::uintptr_t{region_unit - 16}}) {
    auto* const address = reinterpret_cast<std::byte*>(at);
    REQUIRE(none.begins_unit_of(address));
    const slab& in = none.near(address);
    CHECK_FALSE(in.holds(in.index_of(address), address));
  }
  CHECK_FALSE(none.begins_unit_of(reinterpret_cast<std::byte*>(std::uintptr_t{region_unit})));
}
