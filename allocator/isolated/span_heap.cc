// span_heap.cc - places taken from regions, and large ones that rest.
#include "allocator/isolated/span_heap.h"

#include <algorithm>
#include <atomic>

namespace lockfast::internal {
namespace {

// Maps that the regions without markers may come to need, in all heaps: two for each place.
constinit std::atomic<std::size_t> maps_spoken_for = 0;

std::size_t maps_of(const span_region& one) { return 2 * one.place_count(); }

span* busy(span* taken) {
  if (taken != nullptr) taken->set(span::state::busy);
  return taken;
}

}  // namespace

// ---- Regions ----------------------------------------------------------------------------------------------------------------

void span_heap::count_maps(const span_region& unmarked) {
  maps_spoken_for.fetch_add(maps_of(unmarked), std::memory_order_relaxed);
}

void span_heap::release(span_region& vacant) {
  if (!vacant.marked()) maps_spoken_for.fetch_sub(maps_of(vacant), std::memory_order_relaxed);
  stock_.release(kind_of(vacant.place_pages()), vacant);
}

span_region* span_heap::reserve_places(std::size_t page_count, std::size_t place_count, region_map::place where) {
  return stock_.reserve(kind_of(page_count), {page_count, place_count, place_count, where, settings_.fork},
                        [this](std::size_t places) { return span_region::make(*owner_, places); });
}

// A region of the largest size that the system has room for, which the records of its spans take as well. A region of many units is
// never without its alignment, since each unit would need a table.
span_region* span_heap::reserve(std::size_t page_count) {
  constexpr std::size_t max_unaligned = 16 * region_unit;
  const bool single = page_count > small_pages;
  span_region* made = nullptr;
  std::size_t tried = 0;
  for (const std::size_t extent : region::extents) {
    const std::size_t place_count = single ? 1 : span_region::places_in(extent, page_count);
    if (extent == region_unit) {
      made = reserve_places(page_count, place_count, region_map::place::unit);
    } else if (place_count != tried && page_count <= max_unaligned / platform::page_size()) {
      tried = place_count;
      made = reserve_places(page_count, place_count, region_map::place::page);
    }
    if (made != nullptr) break;
  }
  if (made == nullptr) return nullptr;
  // Markers keep the number of maps down, but an access that changes then splits a map and joins it again: so from a point on.
  if (maps_spoken_for.load(std::memory_order_relaxed) + maps_of(*made) > settings_.marked_from_maps) made->mark();
  if (!made->marked()) count_maps(*made);
  return made;
}

// ---- Small places -----------------------------------------------------------------------------------------------------------

span* span_heap::take_unused(std::size_t page_count) {
  const scoped_lock held(stock_.mutex());
  span_region* const serving = stock_.serving(kind_of(page_count));
  return serving == nullptr ? nullptr : busy(serving->take_unused());
}

span* span_heap::take(std::size_t page_count) {
  const scoped_lock held(stock_.mutex());
  const std::size_t kind = kind_of(page_count);
  span_region* const serving = stock_.serving(kind);
  span* taken = serving == nullptr ? nullptr : serving->take_unused();
  if (taken == nullptr) {
    span_region* const next = reserve(page_count);
    if (next == nullptr) return nullptr;
    stock_.serve(kind, next);
    taken = next->take_unused();
  }
  return busy(taken);
}

// ---- Large places -----------------------------------------------------------------------------------------------------------

span& span_heap::leave_rest(std::size_t index) {
  span& left = *resting_[index];
  std::copy(resting_ + index + 1, resting_ + resting_count_, resting_ + index);
  --resting_count_;
  resting_pages_ -= left.home.place_pages();
  left.set(span::state::busy);
  return left;
}

span* span_heap::take_resting(std::size_t page_count) {
  // The last to be freed is not the next to be used.
  for (std::size_t index = 0; index + 1 < resting_count_; ++index) {
    if (resting_[index]->home.place_pages() == page_count) return &leave_rest(index);
  }
  return nullptr;
}

span* span_heap::take_kept_of(std::size_t page_count) {
  span* before = nullptr;
  for (span* one = kept_; one != nullptr; before = one, one = one->next()) {
    if (one->home.place_pages() != page_count || one->run_size() != page_count * platform::page_size()) continue;
    if (before == nullptr) {
      kept_ = one->next();
    } else {
      before->set_next(one->next());
    }
    return busy(one);
  }
  return nullptr;
}

span_heap::large_place span_heap::take_large(std::size_t page_count, bool exact) {
  // A place that was moved down to an alignment is longer than its run, and a record must say that it is large.
  if (page_count <= small_pages) page_count = small_pages + 1;
  const scoped_lock held(stock_.mutex());
  if (exact) {
    if (span* const rested = take_resting(page_count); rested != nullptr) return {rested, true};
    if (span* const kept = take_kept_of(page_count); kept != nullptr) return {kept, true};
  }
  span_region* const made = reserve(page_count);
  return {made == nullptr ? nullptr : busy(made->take_unused()), false};
}

bool span_heap::rests(const span& freed) const {
  const std::size_t page_count = freed.run_size() / platform::page_size();
  return page_count == freed.home.place_pages() && page_count <= settings_.max_resting_pages;
}

std::size_t span_heap::rest(span& freed, span* (&leaving)[max_resting + 1]) {
  const scoped_lock held(stock_.mutex());
  const std::size_t page_count = freed.home.place_pages();
  std::size_t count = 0;
  if (!rests(freed)) {
    leaving[count++] = &freed;
    return count;
  }
  while (resting_count_ == max_resting || (resting_count_ != 0 && resting_pages_ + page_count > settings_.max_resting_pages)) {
    leaving[count++] = &leave_rest(0);
  }
  resting_[resting_count_++] = &freed;
  resting_pages_ += page_count;
  freed.set(span::state::idle);
  return count;
}

span* span_heap::end_oldest_rest(last_freed which) {
  const scoped_lock held(stock_.mutex());
  return resting_count_ > (which == last_freed::stays ? 1 : 0) ? &leave_rest(0) : nullptr;
}

void span_heap::keep(span& idle) {
  const scoped_lock held(stock_.mutex());
  idle.set_next(kept_);
  kept_ = &idle;
  idle.set(span::state::idle);
}

span* span_heap::take_kept() {
  const scoped_lock held(stock_.mutex());
  span* const taken = kept_;
  if (taken == nullptr) return nullptr;
  kept_ = taken->next();
  return busy(taken);
}

void span_heap::release_large(span_region& emptied) {
  const scoped_lock held(stock_.mutex());
  emptied.begin()->set(span::state::fresh);
  release(emptied);
}

// ---- A fork -----------------------------------------------------------------------------------------------------------------

void span_heap::reset_in_child() {
  resting_count_ = 0;
  resting_pages_ = 0;
  kept_ = nullptr;
}

}  // namespace lockfast::internal
