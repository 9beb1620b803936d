// shared_unit.h - a unit of address space that several regions lie in, or that is not all ours: which region each page is in.
//
//    unit    |  others' memory  | region A | region B |  others'  | region C ...   |
//    pages    .  .  .  .  .  .   A  A  A    B  B  B    .  .  .     C  C  C  C
//
// Made only where the system has no room for a region of a whole unit, so that a look-up in any other unit does without this step.
//
// Invariants
//   1. Its base is null and its size 0: no address lies in it as in a region.
//   2. used_ pages have a region.
//   3. Records are never given back to the system: one that no unit has serves the next. Whoever still reads it for its old
//      unit finds a region that the address is not in.
//
// Threads: at() from any thread; the rest under the region map's mutex.
#ifndef LOCKFAST_ALLOCATOR_PAGES_SHARED_UNIT_H
#define LOCKFAST_ALLOCATOR_PAGES_SHARED_UNIT_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/pages/region.h"
#include "allocator/pages/region_map.h"

namespace lockfast::internal {

class shared_unit : public region {
 public:
  // One without a region; null when there is no memory for it.
  [[nodiscard]] static shared_unit* make();
  // It serves another unit; requires unused().
  void give_back();

  // The region that was entered for the page of an address in the unit; null if none.
  [[nodiscard]] region* at(const void* address) const {
    const std::uintptr_t offset = reinterpret_cast<std::uintptr_t>(address) & (region_unit - 1);
    return pages_[offset >> page_shift_].load(std::memory_order_acquire);
  }
  [[nodiscard]] bool unused() const { return used_ == 0; }

  // Enters a region for the pages of [base, base + size) that lie in the unit which begins at `unit`, and takes them out again.
  void enter_in(std::uintptr_t unit, const std::byte* base, std::size_t size, region& holder);
  void erase_in(std::uintptr_t unit, const std::byte* base, std::size_t size);

 private:
  using slot = std::atomic<region*>;

  shared_unit() : region(kind::shared_unit) {}
  // Stores holder for those pages; how many.
  std::size_t store_in(std::uintptr_t unit, const std::byte* base, std::size_t size, region* holder);

  static shared_unit* unused_;

  slot* pages_ = nullptr;
  unsigned page_shift_ = 0;
  std::size_t used_ = 0;
  shared_unit* next_unused_ = nullptr;
};

}  // namespace lockfast::internal

#endif
