// region_stock.h - the regions of one heap and their records: reserved, released, and used again.
//
//    all records:         a -> b -> c -> d -> e     only grows, so that anyone may walk along it without a mutex
//    released, by kind:   b -> d                    records without address space
//    serving, by kind:    e                         the region from which the next new place is taken
//
// Region is span_region or slab_region. A kind is what tells regions apart whose places do not stand for each other: a page
// count, or a size of slabs. What places are, how large a region is to be, and what becomes of a place that is given up differs
// between the two, and is span_heap's and slab_heap's.
//
// Invariants
//   1. A record is for one kind, as long as the process lives.
//   2. A record that is released is empty. No other one is, but for those that a forked child could not reserve again.
//
// Threads: any thread may call for_each() and bytes_reserved(), without a mutex. All else needs mutex(), which is held while a region is
// reserved or released.
#ifndef LOCKFAST_ALLOCATOR_PAGES_REGION_STOCK_H
#define LOCKFAST_ALLOCATOR_PAGES_REGION_STOCK_H

#include <atomic>
#include <cstddef>

#include "allocator/pages/region.h"
#include "platform/platform.h"

namespace lockfast::internal {

template <class Region, std::size_t kind_count>
class region_stock {
 public:
  constexpr region_stock() = default;

  // What a new region is to be: so many places of a size, in the units of Region, of which a record needs so many at least.
  struct wanted {
    std::size_t place_size;
    std::size_t place_count;
    std::size_t record_places;
    region_map::place where;
    platform::fork_policy policy;
  };

  [[nodiscard]] platform::mutex& mutex() { return mutex_; }

  // Calls act(Region&) for each record, released ones too.
  template <class Act>
  void for_each(Act act) const {
    for (Region* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next) act(*one);
  }
  [[nodiscard]] std::size_t bytes_reserved() const {
    std::size_t bytes = 0;
    for_each([&](const Region& one) { bytes += one.empty() ? 0 : one.size(); });
    return bytes;
  }

  [[nodiscard]] Region* serving(std::size_t kind) const { return serving_[kind]; }
  void serve(std::size_t kind, Region* next) { serving_[kind] = next; }

  // A region in a record that was released before, or in a new one that make(record_places) gives; null when the system refuses.
  template <class Make>
  [[nodiscard]] Region* reserve(std::size_t kind, const wanted& what, Make make);
  // Gives the address space back; the record serves again.
  void release(std::size_t kind, Region& vacant) {
    if (serving_[kind] == &vacant) serving_[kind] = nullptr;
    vacant.release();
    put_released(kind, vacant);
  }

 private:
  // The first released record that has enough places.
  [[nodiscard]] Region* take_released(std::size_t kind, std::size_t place_count);
  void put_released(std::size_t kind, Region& record) {
    record.next_empty = released_[kind];
    released_[kind] = &record;
  }

  platform::mutex mutex_;
  std::atomic<Region*> all_ = nullptr;
  Region* serving_[kind_count] = {};
  Region* released_[kind_count] = {};
};

template <class Region, std::size_t kind_count>
Region* region_stock<Region, kind_count>::take_released(std::size_t kind, std::size_t place_count) {
  for (Region** link = &released_[kind]; *link != nullptr; link = &(*link)->next_empty) {
    Region* const found = *link;
    if (found->max_places() < place_count) continue;
    *link = found->next_empty;
    return found;
  }
  return nullptr;
}

template <class Region, std::size_t kind_count>
template <class Make>
Region* region_stock<Region, kind_count>::reserve(std::size_t kind, const wanted& what, Make make) {
  const std::size_t size = Region::size_of(what.place_size, what.place_count);
  const std::size_t alignment = what.where == region_map::place::unit ? region_unit : platform::page_size();
  const auto space = platform::reserve(size, alignment, what.policy);
  if (space.address == nullptr) return nullptr;
  Region* record = take_released(kind, what.record_places);
  if (record == nullptr) {
    record = make(what.record_places);
    if (record == nullptr) {
      platform::release(space.address, size);
      return nullptr;
    }
    record->next = all_.load(std::memory_order_relaxed);
    all_.store(record, std::memory_order_release);
  }
  if (record->refill(what.place_size, what.place_count, space, what.where, what.policy)) return record;
  put_released(kind, *record);
  return nullptr;
}

}  // namespace lockfast::internal

#endif
