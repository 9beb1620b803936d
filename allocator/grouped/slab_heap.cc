// slab_heap.cc - places taken and put back.
#include "allocator/grouped/slab_heap.h"

#include "allocator/grouped/size_class.h"

namespace lockfast::internal {
namespace {

constexpr std::size_t small_place = std::size_t{64} * 1024;
constexpr std::size_t medium_place = std::size_t{256} * 1024;
constexpr std::size_t max_small_capacity = 1024;

}  // namespace

slab_heap::kind slab_heap::kind_of(std::size_t capacity) {
  if (capacity <= max_small_capacity) return small;
  return capacity <= size_class::max_capacity ? medium : single;
}

std::size_t slab_heap::place_size_of(kind which, std::size_t capacity) {
  const std::size_t page = platform::page_size();
  if (which == single) return (capacity + slab::overhead + slab::margin + page - 1) / page * page + page;
  const std::size_t least = which == small ? small_place : medium_place;
  return least < 2 * page ? 2 * page : least;
}

slab_region* slab_heap::take_empty(kind which, std::size_t slab_count) {
  for (slab_region** link = &empty_[which]; *link != nullptr; link = &(*link)->next_empty) {
    slab_region* const found = *link;
    if (found->max_slabs() < slab_count) continue;
    *link = found->next_empty;
    return found;
  }
  return nullptr;
}

slab_region* slab_heap::reserve_region(kind which, std::size_t place_size, std::size_t place_count, region_map::place where) {
  const bool whole = where == region_map::place::unit;
  const std::size_t size = slab_region::size_of(place_size, place_count);
  const auto space = platform::reserve(size, whole ? region_unit : platform::page_size(), policy_);
  if (space.address == nullptr) return nullptr;
  const std::size_t slab_count = whole ? slab_region::records_for_unit(place_size, place_count) : place_count;
  slab_region* record = take_empty(which, slab_count);
  if (record == nullptr) {
    record = slab_region::make(slab_count);
    if (record == nullptr) {
      platform::release(space.address, size);
      return nullptr;
    }
    record->place_kind = which;
    record->next = regions_.load(std::memory_order_relaxed);
    regions_.store(record, std::memory_order_release);
  }
  if (record->refill(place_size, place_count, space, where, policy_)) return record;
  record->next_empty = empty_[which];
  empty_[which] = record;
  return nullptr;
}

slab_region* slab_heap::take_record(kind which, std::size_t capacity) {
  const std::size_t page = platform::page_size();
  const std::size_t one_slot = place_size_of(single, capacity);
  std::size_t tried = 0;
  for (const std::size_t extent : region::extents) {
    const bool whole = extent == region_unit;
    // Of a part of a unit it is one place, as large as the part or as one slot.
    std::size_t size = place_size_of(which, capacity);
    if (!whole && size > extent) size = extent > one_slot ? extent : one_slot;
    if (size == tried) continue;
    const std::size_t fitting = whole && which != single ? (extent - page) / size : 1;
    if (!whole) tried = size;
    const auto where = whole ? region_map::place::unit : region_map::place::page;
    slab_region* const record = reserve_region(which, size, fitting == 0 ? 1 : fitting, where);
    if (record != nullptr) return record;
  }
  return nullptr;
}

// One that was cut for slots as small has records for as many. Places for one slot do not fit every capacity.
slab* slab_heap::take_closed(kind which, std::size_t capacity) {
  slab** chosen = nullptr;
  for (slab** link = &closed_[which]; *link != nullptr; link = &(*link)->next) {
    const slab& found = **link;
    if (found.home.run_size() < capacity + slab::overhead + slab::margin) continue;
    chosen = link;
    if (found.capacity() <= capacity) break;
  }
  if (chosen == nullptr) return nullptr;
  slab* const taken = *chosen;
  *chosen = taken->next;
  return taken;
}

slab* slab_heap::take_place(kind which, std::size_t capacity) {
  if (slab* const closed = take_closed(which, capacity); closed != nullptr) return closed;
  slab_region*& serving = serving_[which];
  const bool fits = serving != nullptr && serving->run_size() >= capacity + slab::overhead + slab::margin;
  slab* const taken = fits ? serving->take_unused() : nullptr;
  if (taken != nullptr) return taken;
  serving = take_record(which, capacity);
  return serving == nullptr ? nullptr : serving->take_unused();
}

slab* slab_heap::take(std::size_t capacity, std::size_t alignment, slab_bin& owner) {
  const scoped_lock held(growth_);
  const kind which = kind_of(capacity);
  slab* const taken = take_place(which, capacity);
  if (taken == nullptr) return nullptr;
  ++taken->home.taken_count;
  taken->next = nullptr;
  taken->previous = nullptr;
  const std::size_t run_size = taken->home.run_size();
  if (which == single) capacity = run_size - slab::overhead - slab::margin;
  if (!taken->cut(taken->home.run_of(*taken), run_size, capacity, alignment)) {
    --taken->home.taken_count;
    // The place of a single one has a size of its own.
    if (which == single) {
      release(taken->home, single);
    } else {
      taken->next = closed_[which];
      closed_[which] = taken;
    }
    return nullptr;
  }
  taken->list = &owner;
  return taken;
}

void slab_heap::put(slab& closed) {
  const scoped_lock held(growth_);
  const auto which = static_cast<kind>(closed.home.place_kind);
  closed.list = nullptr;
  --closed.home.taken_count;
  if (which == single) {
    rest(closed.home);
    return;
  }
  closed.next = closed_[which];
  closed_[which] = &closed;
}

void slab_heap::end_oldest_rest() {
  release(*resting_[0], single);
  --resting_count_;
  for (std::size_t index = 0; index < resting_count_; ++index) resting_[index] = resting_[index + 1];
}

void slab_heap::rest(slab_region& emptied) {
  if (emptied.size() > max_resting_size) {
    release(emptied, single);
    return;
  }
  if (resting_count_ == max_resting) end_oldest_rest();
  resting_[resting_count_++] = &emptied;
}

void slab_heap::release(slab_region& vacant, kind which) {
  if (serving_[which] == &vacant) serving_[which] = nullptr;
  vacant.release();
  vacant.next_empty = empty_[which];
  empty_[which] = &vacant;
}

std::size_t slab_heap::release_vacant_regions(rest_of_singles of_resting) {
  const scoped_lock held(growth_);
  std::size_t rested = 0;
  for (; of_resting == rest_of_singles::ends && resting_count_ != 0; end_oldest_rest()) rested += resting_[0]->size();
  for (const kind which : {small, medium}) {
    for (slab** link = &closed_[which]; *link != nullptr;) {
      if ((*link)->home.taken_count == 0) {
        *link = (*link)->next;
      } else {
        link = &(*link)->next;
      }
    }
  }
  for (slab_region* one = regions_.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    const auto which = static_cast<kind>(one->place_kind);
    if (!one->empty() && one->taken_count == 0 && which != single) release(*one, which);
  }
  return rested;
}

void slab_heap::close_in_child(slab& unused) {
  unused.list = nullptr;
  const auto which = static_cast<kind>(unused.home.place_kind);
  if (which == single) {
    release(unused.home, single);
    return;
  }
  unused.next = closed_[which];
  closed_[which] = &unused;
}

std::size_t slab_heap::bytes_reserved() const {
  std::size_t bytes = 0;
  for (const slab_region* one = regions_.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    if (!one->empty()) bytes += one->size();
  }
  return bytes;
}

}  // namespace lockfast::internal
