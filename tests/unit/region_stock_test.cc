// region_stock_test.cc - which record a new region gets: one that was released before, or a new one.
#include "allocator/pages/region_stock.h"

#include <doctest/doctest.h>

#include <cstddef>

#include "platform/simulated/simulated.h"

using namespace lockfast::internal;
namespace platform = lockfast::platform;
namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;

// What span_region and slab_region are to a stock.
struct plot {
  static std::size_t size_of(std::size_t place_size, std::size_t place_count) { return place_size * place_count; }
  [[nodiscard]] std::size_t max_places() const { return places; }
  [[nodiscard]] bool empty() const { return base == nullptr; }
  [[nodiscard]] std::size_t size() const { return bytes; }
  bool refill(std::size_t place_size, std::size_t place_count, const platform::reservation& space, region_map::place,
              platform::fork_policy) {
    if (refuses) {
      platform::release(space.address, size_of(place_size, place_count));
      return false;
    }
    base = space.address;
    bytes = size_of(place_size, place_count);
    return true;
  }
  void release() {
    platform::release(base, bytes);
    base = nullptr;
  }

  std::size_t places = 0;
  std::byte* base = nullptr;
  std::size_t bytes = 0;
  bool refuses = false;
  plot* next = nullptr;
  plot* next_empty = nullptr;
};

class stock_of_plots {
 public:
  stock_of_plots() { simulated::reset(); }
  plot* reserve(std::size_t kind, std::size_t places) {
    return stock.reserve(kind, {page, places, places, region_map::place::page, platform::fork_policy::absent},
                         [this](std::size_t count) { return make(count); });
  }

  region_stock<plot, 2> stock;
  std::size_t made = 0;
  std::size_t max_made = 8;
  bool refuses = false;

 private:
  plot* make(std::size_t places) {
    if (made == max_made) return nullptr;
    records_[made].places = places;
    records_[made].refuses = refuses;
    return &records_[made++];
  }

  plot records_[8];
};

}  // namespace

TEST_CASE("a released region's record serves the next region of its kind that needs no more places") {
  stock_of_plots all;
  plot* const small = all.reserve(0, 2);
  plot* const large = all.reserve(0, 4);
  REQUIRE(small != nullptr);
  REQUIRE(large != nullptr);
  CHECK(all.stock.bytes_reserved() == 6 * page);
  all.stock.release(0, *large);
  all.stock.release(0, *small);
  CHECK(all.stock.bytes_reserved() == 0);
  plot* const other_kind = all.reserve(1, 2);
  CHECK(other_kind != small);
  CHECK(other_kind != large);
  CHECK(all.reserve(0, 4) == large);
  CHECK(all.reserve(0, 1) == small);
  CHECK(all.made == 3);
  std::size_t known = 0;
  all.stock.for_each([&](plot& one) {
    ++known;
    one.release();
  });
  CHECK(known == 3);
}

TEST_CASE("a region that is refused leaves no address space reserved, and its record serves later") {
  const std::size_t reserved = simulated::bytes_reserved();
  stock_of_plots all;
  all.refuses = true;
  CHECK(all.reserve(0, 2) == nullptr);
  CHECK(simulated::bytes_reserved() == reserved);
  all.stock.for_each([](plot& one) { one.refuses = false; });
  plot* const made = all.reserve(0, 2);
  CHECK(made != nullptr);
  CHECK(all.made == 1);
  all.stock.release(0, *made);
  all.max_made = 1;
  CHECK(all.reserve(0, 3) == nullptr);
  CHECK(simulated::bytes_reserved() == reserved);
}

TEST_CASE("a region that is released serves no more") {
  stock_of_plots all;
  plot* const one = all.reserve(1, 2);
  REQUIRE(one != nullptr);
  all.stock.serve(1, one);
  CHECK(all.stock.serving(1) == one);
  all.stock.release(1, *one);
  CHECK(all.stock.serving(1) == nullptr);
}
