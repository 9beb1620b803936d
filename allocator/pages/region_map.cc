// region_map.cc - the two tables and what is entered in them.
#include "allocator/pages/region_map.h"

#include "allocator/base/metadata.h"
#include "allocator/pages/region.h"
#include "allocator/pages/shared_unit.h"

namespace lockfast::internal {
namespace {

constinit platform::mutex map_mutex;

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

bool region_map::share(slot& entered, std::uintptr_t unit) {
  region* const had = entered.load(std::memory_order_relaxed);
  if (had != nullptr && had->holds() == region::kind::shared_unit) return true;
  shared_unit* const made = shared_unit::make();
  if (made == nullptr) return false;
  if (had != nullptr) made->enter_in(unit * region_unit, had->base(), had->size(), *had);
  entered.store(made, std::memory_order_release);
  return true;
}

bool region_map::set(std::byte* base, std::size_t size, region& holder, place where) {
  const auto begin = reinterpret_cast<std::uintptr_t>(base);
  const std::uintptr_t first = begin / region_unit;
  const std::uintptr_t last = (begin + size - 1) / region_unit;
  const auto is_shared = [](const region* held) { return held != nullptr && held->holds() == region::kind::shared_unit; };
  map_mutex.lock();
  bool complete = true;
  for (std::uintptr_t unit = first; unit <= last && complete; ++unit) {
    complete = make_table(unit);
    if (!complete) break;
    slot& entered = *entry(unit);
    const bool alone = where == place::unit && entered.load(std::memory_order_relaxed) == nullptr;
    complete = alone || share(entered, unit);
  }
  for (std::uintptr_t unit = first; unit <= last && complete; ++unit) {
    slot& entered = *entry(unit);
    region* const held = entered.load(std::memory_order_relaxed);
    if (is_shared(held)) {
      static_cast<shared_unit*>(held)->enter_in(unit * region_unit, base, size, holder);
    } else {
      entered.store(&holder, std::memory_order_release);
    }
  }
  map_mutex.unlock();
  return complete;
}

void region_map::clear(std::byte* base, std::size_t size, const region& holder) {
  const std::uintptr_t first = reinterpret_cast<std::uintptr_t>(base) / region_unit;
  const std::uintptr_t last = (reinterpret_cast<std::uintptr_t>(base) + size - 1) / region_unit;
  map_mutex.lock();
  for (std::uintptr_t unit = first; unit <= last; ++unit) {
    slot& entered = *entry(unit);
    region* const held = entered.load(std::memory_order_relaxed);
    if (held == &holder) {
      entered.store(nullptr, std::memory_order_release);
    } else {
      auto* const shared = static_cast<shared_unit*>(held);
      shared->erase_in(unit * region_unit, base, size);
      if (!shared->unused()) continue;
      entered.store(nullptr, std::memory_order_release);
      shared->give_back();
    }
  }
  map_mutex.unlock();
}

platform::mutex& region_map::mutex() { return map_mutex; }

}  // namespace lockfast::internal
