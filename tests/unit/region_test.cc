// region_test.cc - from an address to its region: alone in a unit, beside others, across two units; by a model of every page.
#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <new>
#include <random>
#include <vector>

#include "allocator/pages/region.h"
#include "platform/simulated/simulated.h"

namespace {

using lockfast::internal::region;
using lockfast::internal::region_map;
using lockfast::internal::region_unit;
namespace platform = lockfast::platform;

constexpr std::size_t page = 4096;

// A region over part of a reservation that the test keeps: it takes itself out of the map as release() does.
class part : public region {
 public:
  part() : region(kind::spans) {}
  bool enter(std::byte* base, std::size_t size, region_map::place where) {
    return take({.address = base, .refusal = 0, .dump = 0, .fork = 0}, size, where, platform::fork_policy::absent);
  }
  void leave() {
    region_map::clear(base(), size(), *this);
    this->~part();
    new (this) part;
  }
};

}  // namespace

TEST_CASE("every page of a unit that regions share leads to its own region, whichever came first and whichever goes first") {
  lockfast::simulated::reset();
  constexpr std::size_t units = 3;
  const auto reserved = platform::reserve(units * region_unit, region_unit, platform::fork_policy::absent);
  REQUIRE(reserved.address != nullptr);
  std::byte* const base = reserved.address;
  constexpr std::size_t page_count = units * region_unit / page;
  std::vector<const region*> model(page_count, nullptr);
  std::vector<part> parts(40);
  std::mt19937 random(7);
  std::size_t alone = 0;
  std::size_t beside = 0;
  for (int round = 0; round < 4000; ++round) {
    part& one = parts[random() % parts.size()];
    if (!one.empty()) {
      std::replace(model.begin(), model.end(), static_cast<const region*>(&one), static_cast<const region*>(nullptr));
      one.leave();
    } else {
      // Some begin at a multiple of the unit, as those that found room for it do, of up to two units.
      const bool at_unit = random() % 4 == 0;
      const std::size_t first = at_unit ? random() % units * (region_unit / page) : random() % page_count;
      std::size_t count = 3 + random() % (at_unit ? 2 * region_unit / page : 40);
      count = std::min(count, page_count - first);
      const auto from = model.begin() + static_cast<std::ptrdiff_t>(first);
      if (std::any_of(from, from + static_cast<std::ptrdiff_t>(count), [](const region* in) { return in != nullptr; }))
        continue;
      REQUIRE(one.enter(base + first * page, count * page, at_unit ? region_map::place::unit : region_map::place::page));
      std::fill_n(from, count, &one);
      ++(at_unit ? alone : beside);
    }
    for (std::size_t at = 0; at < page_count; ++at) {
      if (region::holding(base + at * page + random() % page) != model[at]) {
        FAIL("round " << round << ", page " << at);
      }
    }
  }
  CHECK(alone > 20);
  CHECK(beside > 500);
  for (part& one : parts) {
    if (!one.empty()) one.leave();
  }
  for (std::size_t unit = 0; unit < units; ++unit) CHECK(region_map::at(base + unit * region_unit) == nullptr);
  platform::release(base, units * region_unit);
}
