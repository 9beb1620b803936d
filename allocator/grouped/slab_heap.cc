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

slab_region* slab_heap::reserve(kind which, std::size_t capacity) {
  const std::size_t page = platform::page_size();
  const std::size_t one_slot = place_size_of(single, capacity);
  const auto make = [which](std::size_t places) {
    slab_region* const made = slab_region::make(places);
    if (made != nullptr) made->place_kind = which;
    return made;
  };
  std::size_t tried = 0;
  for (const std::size_t extent : region::extents) {
    const bool whole = extent == region_unit;
    // Of a part of a unit it is one place, as large as the part or as one slot.
    std::size_t size = place_size_of(which, capacity);
    if (!whole && size > extent) size = extent > one_slot ? extent : one_slot;
    if (size == tried) continue;
    const std::size_t fitting = whole && which != single ? (extent - page) / size : 1;
    const std::size_t place_count = fitting == 0 ? 1 : fitting;
    if (!whole) tried = size;
    const std::size_t record_places = whole ? slab_region::records_for_unit(size, place_count) : place_count;
    const auto where = whole ? region_map::place::unit : region_map::place::page;
    slab_region* const made = stock_.reserve(which, {size, place_count, record_places, where, policy_}, make);
    if (made != nullptr) return made;
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
  slab_region* const serving = stock_.serving(which);
  const bool fits = serving != nullptr && serving->run_size() >= capacity + slab::overhead + slab::margin;
  slab* const taken = fits ? serving->take_unused() : nullptr;
  if (taken != nullptr) return taken;
  slab_region* const next = reserve(which, capacity);
  stock_.serve(which, next);
  return next == nullptr ? nullptr : next->take_unused();
}

slab* slab_heap::take(std::size_t capacity, std::size_t alignment, slab_bin& owner) {
  const scoped_lock held(stock_.mutex());
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
      stock_.release(single, taken->home);
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
  const scoped_lock held(stock_.mutex());
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
  stock_.release(single, *resting_[0]);
  --resting_count_;
  for (std::size_t index = 0; index < resting_count_; ++index) resting_[index] = resting_[index + 1];
}

void slab_heap::rest(slab_region& emptied) {
  if (emptied.size() > max_resting_size) {
    stock_.release(single, emptied);
    return;
  }
  if (resting_count_ == max_resting) end_oldest_rest();
  resting_[resting_count_++] = &emptied;
}

std::size_t slab_heap::release_vacant_regions(rest_of_singles of_resting) {
  const scoped_lock held(stock_.mutex());
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
  stock_.for_each([&](slab_region& one) {
    const auto which = static_cast<kind>(one.place_kind);
    if (!one.empty() && one.taken_count == 0 && which != single) stock_.release(which, one);
  });
  return rested;
}

void slab_heap::close_in_child(slab& unused) {
  unused.list = nullptr;
  const auto which = static_cast<kind>(unused.home.place_kind);
  if (which == single) {
    stock_.release(single, unused.home);
    return;
  }
  unused.next = closed_[which];
  closed_[which] = &unused;
}

}  // namespace lockfast::internal
