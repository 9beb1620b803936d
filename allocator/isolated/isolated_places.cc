// isolated_places.cc - where isolated secrets get their places from, and what happens to those that they leave.
#include <atomic>
#include <cerrno>
#include <cstring>

#include "allocator/isolated/idle_budget.h"
#include "allocator/isolated/isolated.h"
#include "allocator/pages/map_watch.h"

namespace lockfast::internal {

using platform::access;

namespace {

// Maps that the regions without markers may come to need, in all arenas: two for each place.
constinit std::atomic<std::size_t> maps_spoken_for = 0;

std::size_t maps_of(const span_region& one) { return 2 * one.place_count(); }

}  // namespace

void isolated_arena::enlist(span_region& made) {
  made.next = regions_.load(std::memory_order_relaxed);
  regions_.store(&made, std::memory_order_release);
}

// The first empty record with spans for so many places, taken out of its list; null if none.
span_region* isolated_arena::take_empty(span_region*& empties, std::size_t place_count) {
  for (span_region** link = &empties; *link != nullptr; link = &(*link)->next_empty) {
    span_region* const found = *link;
    if (found->max_places() < place_count) continue;
    *link = found->next_empty;
    return found;
  }
  return nullptr;
}

// A region with address space of its own, in a record that was released before or in a new one; null when the system refuses.
span_region* isolated_arena::reserve_region(std::size_t page_count, std::size_t place_count, region_map::place where,
                                            span_region*& empties) {
  const std::size_t size = span_region::size_of(page_count, place_count);
  const auto space = platform::reserve(size, where == region_map::place::unit ? region_unit : page_, policy_.fork);
  if (space.address == nullptr) return nullptr;
  span_region* record = take_empty(empties, place_count);
  if (record == nullptr) {
    record = span_region::make(*this, place_count);
    if (record != nullptr) enlist(*record);
  }
  if (record == nullptr) {
    platform::release(space.address, size);
    return nullptr;
  }
  if (record->refill(page_count, place_count, space, where, policy_.fork)) return record;
  record->next_empty = empties;
  empties = record;
  return nullptr;
}

// The same of the largest size that the system has room for, which the records of its spans take as well. A region of many units is
// never without its alignment, since each unit would need a table.
span_region* isolated_arena::take_record(std::size_t page_count, span_region*& empties) {
  constexpr std::size_t max_unaligned = 16 * region_unit;
  const bool single = page_count > small_pages;
  span_region* record = nullptr;
  std::size_t tried = 0;
  for (const std::size_t extent : region::extents) {
    const std::size_t place_count = single ? 1 : span_region::places_in(extent, page_count);
    if (extent == region_unit) {
      record = reserve_region(page_count, place_count, region_map::place::unit, empties);
    } else if (place_count != tried && page_count <= max_unaligned / page_) {
      tried = place_count;
      record = reserve_region(page_count, place_count, region_map::place::page, empties);
    }
    if (record != nullptr) break;
  }
  if (record == nullptr) return nullptr;
  // Markers keep the number of maps down, but an access that changes then splits a map and joins it again: so from a point on.
  const bool short_of_maps = maps_spoken_for.load(std::memory_order_relaxed) + maps_of(*record) > policy_.marked_from_maps;
  if (short_of_maps && policy_.hide_error != 0) record->mark();
  if (!record->marked()) count_maps(*record);
  return record;
}

void isolated_arena::count_maps(const span_region& unmarked) {
  maps_spoken_for.fetch_add(maps_of(unmarked), std::memory_order_relaxed);
}

void isolated_arena::release(span_region& vacant) {
  if (!vacant.marked()) maps_spoken_for.fetch_sub(maps_of(vacant), std::memory_order_relaxed);
  vacant.release();
}

span* isolated_arena::grow(std::size_t page_count, platform::error& refusal) {
  const scoped_lock held(growth_mutex_);
  span_region*& serving = current_[page_count - 1];
  span* taken = serving == nullptr ? nullptr : serving->take_unused();
  if (taken == nullptr) {
    if (span_region* const next = take_record(page_count, empty_[page_count - 1]); next != nullptr) {
      serving = next;
      taken = serving->take_unused();
    }
  }
  if (taken == nullptr) {
    refusal = ENOMEM;
  } else {
    taken->set(span::state::busy);
  }
  return taken;
}

isolated_arena::place isolated_arena::take_large(std::size_t page_count, bool exact, platform::error& refusal) {
  // A place that was moved down to an alignment is longer than its run, and a record must say that it is large.
  if (page_count <= small_pages) page_count = small_pages + 1;
  const scoped_lock held(growth_mutex_);
  // The last to be freed is not the next to be used.
  for (std::size_t index = 0; exact && index + 1 < large_idle_count_; ++index) {
    span_region* const kept = large_idle_[index];
    if (kept->place_pages() != page_count) continue;
    --large_idle_count_;
    for (std::size_t later = index; later < large_idle_count_; ++later) large_idle_[later] = large_idle_[later + 1];
    large_idle_pages_ -= page_count;
    kept->begin()->set(span::state::busy);
    return {kept->begin(), true};
  }
  span* before = nullptr;
  for (span* kept = kept_large_; exact && kept != nullptr; before = kept, kept = kept->next()) {
    if (kept->home.place_pages() != page_count || kept->run_size() != page_count * page_) continue;
    if (before == nullptr) {
      kept_large_ = kept->next();
    } else {
      before->set_next(kept->next());
    }
    kept->set(span::state::busy);
    return {kept, true};
  }
  span_region* const record = take_record(page_count, empty_large_);
  if (record == nullptr) {
    refusal = ENOMEM;
    return {nullptr, false};
  }
  span* const taken = record->take_unused();
  taken->set(span::state::busy);
  return {taken, false};
}

void isolated_arena::put_back(place taken) {
  span& unopened = *taken.at;
  if (unopened.run() != nullptr) {
    keep_idle(unopened, taken.if_put_back);
  } else if (is_large(unopened.home)) {
    release_large(unopened.home);
  } else {
    lists_[unopened.home.place_pages() - 1].put_fresh(unopened);
  }
}

void isolated_arena::keep_large_idle(span& freed, span_list::tally as) {
  const std::size_t page_count = freed.run_size() / platform::page_size();
  span_region* surplus[max_large_idle + 1];
  std::size_t surplus_count = 0;
  {
    const scoped_lock held(growth_mutex_);
    if (as == span_list::tally::freed) {
      other_frees_.fetch_add(1, std::memory_order_relaxed);
      large_used_.fetch_sub(1, std::memory_order_relaxed);
    }
    const bool keeps = page_count == freed.home.place_pages() && page_count <= policy_.large_idle_pages;
    std::size_t leaving = 0;
    while (keeps && leaving < large_idle_count_ &&
           (large_idle_count_ - leaving == max_large_idle || large_idle_pages_ + page_count > policy_.large_idle_pages)) {
      surplus[surplus_count] = large_idle_[leaving++];
      large_idle_pages_ -= surplus[surplus_count]->begin()->run_size() / platform::page_size();
      surplus[surplus_count++]->begin()->set(span::state::busy);
    }
    large_idle_count_ -= leaving;
    for (std::size_t index = 0; index < large_idle_count_; ++index) large_idle_[index] = large_idle_[index + leaving];
    if (keeps) {
      large_idle_[large_idle_count_++] = &freed.home;
      large_idle_pages_ += page_count;
      freed.set(span::state::idle);
    } else {
      surplus[surplus_count++] = &freed.home;
    }
  }
  for (std::size_t index = 0; index < surplus_count; ++index) retire(*surplus[index]->begin());
}

std::size_t isolated_arena::retire(span& idle) {
  if (policy_.rest != nullptr && idle.run() != nullptr) policy_.rest->set_short(false);
  // The run of a secret that was freed while it was sealed is inaccessible: nothing was written to it.
  const bool can_be_verified = !policy_.trap_freed && idle.run() != nullptr && idle.current_access() != access::none;
  if (can_be_verified && !idle.untouched()) end_process(breach::write_after_free, policy_.signal);
  const std::size_t bytes = idle.run_size();
  const bool given_back = idle.run() == nullptr || idle.retire();
  if (policy_.rest != nullptr && given_back) map_watch::look();
  if (!is_large(idle.home)) {
    span_list& list = lists_[idle.home.place_pages() - 1];
    given_back ? list.put_fresh(idle) : list.keep(idle);
  } else if (given_back) {
    release_large(idle.home);
  } else {
    const scoped_lock held(growth_mutex_);
    idle.set_next(kept_large_);
    kept_large_ = &idle;
    idle.set(span::state::idle);
  }
  return given_back ? bytes : 0;
}

span* isolated_arena::take_kept_large() {
  const scoped_lock held(growth_mutex_);
  span* const taken = kept_large_;
  if (taken == nullptr) return nullptr;
  kept_large_ = taken->next();
  taken->set(span::state::busy);
  return taken;
}

void isolated_arena::release_large(span_region& emptied) {
  const scoped_lock held(growth_mutex_);
  emptied.begin()->set(span::state::fresh);
  release(emptied);
  emptied.next_empty = empty_large_;
  empty_large_ = &emptied;
}

// Regions of small spans in which no span is in use go back whole: a page that was once in use keeps a map of its own for as
// long as its region lives.
void isolated_arena::release_vacant_regions() {
  const scoped_lock held(growth_mutex_);
  for (span_region* one = regions_.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    if (one->empty() || is_large(*one)) continue;
    const std::size_t index = one->place_pages() - 1;
    if (!lists_[index].withdraw(*one)) continue;
    if (current_[index] == one) current_[index] = nullptr;
    release(*one);
    one->next_empty = empty_[index];
    empty_[index] = one;
  }
}

}  // namespace lockfast::internal
