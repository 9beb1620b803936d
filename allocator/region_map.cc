// region_map.cc - the two tables. 48 bits of address are covered; a system that hands out more is refused, not mistaken.
#include "allocator/region_map.h"

#include <atomic>
#include <bit>
#include <cstdint>

#include "allocator/metadata.h"
#include "allocator/region.h"

namespace lockfast::internal {
namespace {

constexpr unsigned unit_bits = std::countr_zero(region_unit);
constexpr unsigned address_bits = sizeof(void*) == 8 ? 48 : 32;
constexpr unsigned inner_bits = (address_bits - unit_bits) / 2;
constexpr unsigned outer_bits = address_bits - unit_bits - inner_bits;
constexpr std::size_t inner_count = std::size_t{1} << inner_bits;
constexpr std::size_t outer_count = std::size_t{1} << outer_bits;

using slot = std::atomic<region*>;

constinit std::atomic<slot*> outer[outer_count];
constinit platform::mutex map_exclusion;

slot* entry(std::uintptr_t unit) {
  if (unit >> (inner_bits + outer_bits) != 0) return nullptr;
  slot* const inner = outer[unit >> inner_bits].load(std::memory_order_acquire);
  return inner == nullptr ? nullptr : inner + unit % inner_count;
}

bool make_table(std::uintptr_t unit) {
  if (unit >> (inner_bits + outer_bits) != 0) return false;
  auto& place = outer[unit >> inner_bits];
  if (place.load(std::memory_order_relaxed) != nullptr) return true;
  auto* const table = metadata::take_array<slot>(inner_count);
  place.store(table, std::memory_order_release);
  return table != nullptr;
}

}  // namespace

region* region_map::at(const void* address) {
  const slot* const found = entry(reinterpret_cast<std::uintptr_t>(address) / region_unit);
  return found == nullptr ? nullptr : found->load(std::memory_order_acquire);
}

bool region_map::set(std::byte* base, std::size_t size, region& holder) {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(base) / region_unit;
  const std::uintptr_t last = (reinterpret_cast<std::uintptr_t>(base) + size - 1) / region_unit;
  map_exclusion.lock();
  bool complete = true;
  for (std::uintptr_t unit = first; unit <= last && complete; ++unit) complete = make_table(unit);
  for (std::uintptr_t unit = first; unit <= last && complete; ++unit) entry(unit)->store(&holder, std::memory_order_release);
  map_exclusion.unlock();
  return complete;
}

void region_map::clear(std::byte* base, std::size_t size) {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(base) / region_unit;
  const std::uintptr_t last = (reinterpret_cast<std::uintptr_t>(base) + size - 1) / region_unit;
  map_exclusion.lock();
  for (std::uintptr_t unit = first; unit <= last; ++unit) entry(unit)->store(nullptr, std::memory_order_release);
  map_exclusion.unlock();
}

platform::mutex& region_map::exclusion() { return map_exclusion; }

}  // namespace lockfast::internal
