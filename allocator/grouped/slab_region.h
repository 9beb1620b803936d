// slab_region.h - a region cut into equal places for slabs.
//
//    base
//    | guard | place 0 ...    | guard | place 1 ...    | ... | guard |
//    |<---- place_size ------>|
//
// Invariant: the first page of each place_size and the last page of the region are inaccessible.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SLAB_REGION_H
#define LOCKFAST_ALLOCATOR_GROUPED_SLAB_REGION_H

#include <atomic>
#include <climits>
#include <cstddef>
#include <cstdint>

#include "allocator/base/relaxed.h"
#include "allocator/pages/region.h"
#include "allocator/grouped/slab.h"
#include "platform/platform.h"

namespace lockfast::internal {

class slab_region : public region {
 public:
  // An empty record, and its one slab, which is without slots.
  [[nodiscard]] static constexpr slab_region& none() { return none_; }
  [[nodiscard]] static constexpr slab& slab_of_none() { return slab_of_none_; }
  // How many records of slabs a region of a whole unit needs: one for each place size in it, since near() may come to any of
  // them; one where the place is single.
  [[nodiscard]] static std::size_t records_for_unit(std::size_t place_size, std::size_t place_count) {
    return place_count == 1 ? 1 : (region_unit + place_size - 1) / place_size;
  }
  [[nodiscard]] static std::size_t size_of(std::size_t place_size, std::size_t place_count) {
    return place_size * place_count + platform::page_size();
  }

  // An empty record with records for so many slabs; null when there is no memory for it.
  [[nodiscard]] static slab_region* make(std::size_t max_places);

  // Gives the address space back; the record keeps its slabs and is empty until refill().
  void release();
  // Has address space of size_of() those places be an empty record's, which has records enough: places of a power of two in
  // bytes, guard page included, or a single one of whatever number of pages. False when the map refuses: then it is released.
  [[nodiscard]] bool refill(std::size_t place_size, std::size_t place_count, const platform::reservation& space,
                            region_map::place where, platform::fork_policy policy);
  // In a forked child whose parent's region was fork_policy::absent: its address space is reserved again, at the same place. Where
  // the system refuses, the region is empty.
  void reserve_in_child();

  // The slab whose place, or the guard page in front of it, the address lies in; null if none. Requires an address within.
  [[nodiscard]] slab* at(const void* address) const {
    const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - base());
    const std::size_t place = offset >> place_shift_;
    return place < used_.load(std::memory_order_acquire) ? slabs_ + place : nullptr;
  }

  [[nodiscard]] std::byte* run_of(const slab& one) const;
  [[nodiscard]] std::size_t run_size() const;
  [[nodiscard]] std::size_t place_size() const { return place_size_; }
  [[nodiscard]] std::size_t place_count() const { return place_count_; }
  // The most places that the record has slabs for.
  [[nodiscard]] std::size_t max_places() const { return max_places_; }

  // The next slab that has never been used; null when there is none left.
  [[nodiscard]] slab* take_unused();
  // The slabs that have been taken since the region was mapped; a loop compares with "<", as for spans.
  [[nodiscard]] slab* begin() const { return slabs_; }
  [[nodiscard]] slab* end() const { return slabs_ + used_.load(std::memory_order_acquire); }

 private:
  constexpr slab_region() : region(kind::slabs) {}
  constexpr explicit slab_region(slab& only) : region(kind::slabs), place_shift_(whole_unit), slabs_(&only) {}

  // Shifts every offset in a unit to 0.
  static constexpr unsigned whole_unit = sizeof(std::size_t) * CHAR_BIT - 1;

  static slab_region none_;
  static slab slab_of_none_;

  unsigned place_shift_ = 0;
  relaxed<std::size_t> place_size_;  // these two are read without a mutex by a report
  relaxed<std::size_t> place_count_;
  std::size_t max_places_ = 0;
  std::atomic<std::size_t> used_ = 0;
  slab* slabs_ = nullptr;

 public:
  std::uint8_t place_kind = 0;        // which of its space's kinds of places it has
  std::size_t taken_count = 0;        // slabs that are somebody's
  slab_region* next = nullptr;        // in its space's list of all records, which only grows
  slab_region* next_empty = nullptr;  // in its space's list of empty records
};

}  // namespace lockfast::internal

#endif
