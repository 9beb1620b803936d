// region_map.h - from an address to the region that holds it, in two steps and without a mutex.
//
//    address:  | outer index | inner index | offset in a unit |      a table of tables of regions, each made when needed
//
// A unit that is not one region's alone has a table of its own for its pages, in a third step: shared_unit.h.
//
// Threads: at() from any thread; set() and clear() under the map's own mutex.
#ifndef LOCKFAST_ALLOCATOR_PAGES_REGION_MAP_H
#define LOCKFAST_ALLOCATOR_PAGES_REGION_MAP_H

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "platform/platform.h"

namespace lockfast::internal {

class region;

// Regions begin at multiples of this, in bytes.
inline constexpr std::size_t region_unit = sizeof(void*) == 8 ? std::size_t{4} << 20 : std::size_t{1} << 20;

// 48 bits of address are covered; a system that hands out more is refused, not mistaken.
class region_map {
 public:
  [[nodiscard]] static region* at(const void* address);

  // Where a region begins: at a multiple of the unit, or at any page, in units that may hold others.
  enum class place : unsigned char { unit, page };

  // Enters a region for each unit that [base, base + size) touches; false, with nothing entered, when there is no memory for
  // a table or the address is beyond what the map covers.
  [[nodiscard]] static bool set(std::byte* base, std::size_t size, region& holder, place where);
  static void clear(std::byte* base, std::size_t size, const region& holder);

  static platform::mutex& mutex();

 private:
  using slot = std::atomic<region*>;

  static constexpr unsigned unit_bits = std::countr_zero(region_unit);
  static constexpr unsigned address_bits = sizeof(void*) == 8 ? 48 : 32;
  static constexpr unsigned inner_bits = (address_bits - unit_bits) / 2;
  static constexpr unsigned outer_bits = address_bits - unit_bits - inner_bits;
  static constexpr std::size_t inner_count = std::size_t{1} << inner_bits;
  static constexpr std::size_t outer_count = std::size_t{1} << outer_bits;

  // Null where no table has been made.
  [[nodiscard]] static slot* entry(std::uintptr_t unit);
  [[nodiscard]] static bool make_table(std::uintptr_t unit);
  // Has a unit be shared by whatever region it has and others; false when there is no memory for its table.
  [[nodiscard]] static bool share(slot& entered, std::uintptr_t unit);

  static std::atomic<slot*> outer_[outer_count];
};

inline region_map::slot* region_map::entry(std::uintptr_t unit) {
  if (unit >> (inner_bits + outer_bits) != 0) return nullptr;
  slot* const inner = outer_[unit >> inner_bits].load(std::memory_order_acquire);
  return inner == nullptr ? nullptr : inner + unit % inner_count;
}

inline region* region_map::at(const void* address) {
  const slot* const found = entry(reinterpret_cast<std::uintptr_t>(address) / region_unit);
  return found == nullptr ? nullptr : found->load(std::memory_order_acquire);
}

}  // namespace lockfast::internal

#endif
