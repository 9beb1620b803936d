// isolated_places.cc - where isolated secrets get their places from, and what happens to those that they leave; the fork.
#include <atomic>
#include <cerrno>
#include <cstring>

#include "allocator/isolated/idle_budget.h"
#include "allocator/isolated/isolated.h"
#include "allocator/pages/map_watch.h"
#include "platform/vectors.h"

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
  if (!record->marked()) maps_spoken_for.fetch_add(maps_of(*record), std::memory_order_relaxed);
  return record;
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

// ---- Fork -------------------------------------------------------------------------------------------------------------------

// Hidden secrets, the only ones that a child would not have or would share.
void isolated_arena::copy_for_child() {
  if (policy_.hide_error != 0 || policy_.fork != platform::fork_policy::inherit) return;
  const auto for_each_hidden = [&](auto act) {
    for (span_region* one = regions_.load(std::memory_order_acquire); one != nullptr; one = one->next) {
      for (span* at = one->begin(); at < one->end(); ++at) {
        // One that another thread is busy with, to open or close it, is live soon.
        const span::state seen = at->current_state();
        if (at->hidden() && !at->sealed() && (seen == span::state::live || seen == span::state::busy)) act(*at);
      }
    }
  };
  span::hold_back(true);
  copy_.until_complete([&](std::size_t surplus) {
    std::size_t run_count = 0;
    std::size_t page_count = 0;
    for_each_hidden([&](const span& at) {
      ++run_count;
      page_count += at.run_size() / page_;
    });
    copy_.begin(run_count + run_count * surplus / 8 + surplus, (page_count + page_count * surplus / 8 + surplus) * page_);
    for_each_hidden([&](span& at) {
      if (!at.claim_for_copy()) return;
      const access before = at.current_access();
      if (at.hidden() && !at.sealed() && (before != access::none || at.protect(access::read) == 0)) {
        (void)copy_.add(&at, at.run(), at.run_size(), at.generation());
        if (at.protect(before) != 0) end_process(breach::access_refused, policy_.signal);
      }
      at.set(span::state::live);
    });
  });
  span::hold_back(false);
}

void isolated_arena::place_copies_in_child() {
  copy_.for_each([&](const fork_copy::entry& each, std::byte* content) {
    span& at = *static_cast<span*>(each.record);
    if (!at.has_tenant() || at.sealed() || at.run() != each.run || at.run_size() != each.size) return;
    if (!copy_.hidden() || platform::move_hidden(content, each.run, each.size) != 0) {
      if (!at.fill_gap_in_child(policy_.fork)) return;
      platform::copy(each.run, content, each.size);
    }
    // Another thread may have changed the tenant since.
    if (each.stamp != at.generation()) at.renew_in_child(at.home.key());
  });
  copy_.end();
}

void isolated_arena::before_fork() { growth_mutex_.lock(); }

void isolated_arena::unlock_in_child() {
  idle_budget::reset_in_child();
  growth_mutex_.unlock();
}

void isolated_arena::after_fork_in_parent() {
  copy_.end();
  growth_mutex_.unlock();
}

// The lists' mutexes are not held across a fork: whatever a thread was doing to a list, the child empties it.
//
// Sorts every span anew: a live one is settled, or absent; whatever else there was is fresh, so that the lists begin empty.
void isolated_arena::after_fork_in_child() {
  for (span_list& list : lists_) list.reset_in_child();
  large_idle_count_ = 0;
  large_idle_pages_ = 0;
  kept_large_ = nullptr;

  const bool absent = policy_.fork == platform::fork_policy::absent;
  place_copies_in_child();
  std::uint64_t live = 0;
  for (span_region* one = regions_.load(std::memory_order_acquire); one != nullptr; one = one->next) {
    if (one->empty()) continue;
    // Without its address space the region is gone, and its secrets' addresses are foreign.
    if (!one->settle_in_child()) continue;
    const canary_key before = one->renew_key();
    for (span* at = one->begin(); at < one->end(); ++at) {
      const span::state seen = at->current_state();
      const bool in_use = seen == span::state::live || seen == span::state::busy;
      if (seen == span::state::absent) {
        // Since a crash it may have a run still.
        at->forget_in_child(policy_.fork);
        ++live;
        continue;
      }
      using enum span::settled;
      const bool has_tenant = in_use && at->has_tenant();
      const bool is_sealed = has_tenant && at->sealed();
      if (is_sealed && (policy_.fork == platform::fork_policy::wipe || (!absent && policy_.rest->opens_inherited()))) {
        at->keep_sealed_in_child(policy_.fork);
        at->set(span::state::live);
        ++live;
        continue;
      }
      const auto outcome = !in_use               ? empty
                           : absent || is_sealed ? (has_tenant ? lost : empty)
                                                 : at->settle_in_child(before, one->key(), policy_.fork);
      live += outcome != empty;
      if (outcome == kept) {
        at->set(span::state::live);
      } else if (outcome == lost) {
        at->forget_in_child(policy_.fork);
        at->set(span::state::absent);
      } else {
        at->forget_in_child(policy_.fork);
        at->set(span::state::busy);
        retire(*at);
      }
    }
  }
  settle_counts_in_child(live);
}

// What a thread of the parent was allocating or freeing, and what is gone with its region, was counted on one side only.
void isolated_arena::settle_counts_in_child(std::uint64_t live) {
  std::uint64_t frees = other_frees_.load(std::memory_order_relaxed) + live;
  std::uint64_t allocations = other_allocations_.load(std::memory_order_relaxed);
  for (const span_list& list : lists_) {
    frees += list.frees();
    allocations += list.taken();
  }
  if (allocations > frees) other_frees_.fetch_add(static_cast<std::size_t>(allocations - frees), std::memory_order_relaxed);
  if (frees > allocations)
    other_allocations_.fetch_add(static_cast<std::size_t>(frees - allocations), std::memory_order_relaxed);
}

}  // namespace lockfast::internal
