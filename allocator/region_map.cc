// region_map.cc - the two tables and what is entered in them.
#include "allocator/region_map.h"

#include "allocator/metadata.h"

namespace lockfast::internal {
namespace {

constinit platform::mutex map_exclusion;

}  // namespace

constinit std::atomic<region_map::slot*> region_map::outer_[outer_count];

bool region_map::make_table(std::uintptr_t unit) {
  if (unit >> (inner_bits + outer_bits) != 0) return false;
  auto& place = outer_[unit >> inner_bits];
  if (place.load(std::memory_order_relaxed) != nullptr) return true;
  auto* const table = metadata::take_array<slot>(inner_count);
  place.store(table, std::memory_order_release);
  return table != nullptr;
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
