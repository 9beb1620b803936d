// isolated_idle.cc - pages that no secret has: kept for the next ones, opened ahead of them, and given back.
#include "allocator/base/breach.h"
#include "allocator/isolated/idle_budget.h"
#include "allocator/isolated/isolated.h"
#include "allocator/pages/map_watch.h"
#include "platform/one_look.h"

namespace lockfast::internal {

void isolated_arena::put_back(place taken) {
  span& unopened = *taken.at;
  if (unopened.run() != nullptr) {
    keep_idle(unopened, taken.if_put_back);
  } else if (is_large(unopened)) {
    heap_.release_large(unopened.home);
  } else {
    lists_[unopened.home.place_pages() - 1].put_fresh(unopened);
  }
}

void isolated_arena::count_free(const span& freed) {
  if (!is_large(freed)) return lists_[freed.home.place_pages() - 1].count_freed();
  other_frees_.fetch_add(1, std::memory_order_relaxed);
  large_used_.fetch_sub(1, std::memory_order_relaxed);
}

void isolated_arena::rest_large(span& freed, span_list::tally as) {
  if (as == span_list::tally::freed) count_free(freed);
  span* leaving[span_heap::max_resting + 1];
  const std::size_t count = heap_.rest(freed, leaving);
  for (std::size_t index = 0; index < count; ++index) retire(*leaving[index]);
}

void isolated_arena::keep_or_retire(span_list& list, span& surplus) {
  // A run without its lock, or without the cover that others have, is no gain to the next secret.
  const bool is_kept = surplus.run() != nullptr && surplus.lock_error() == 0 && idle_budget::take(surplus.home.place_pages());
  if (is_kept) return list.put_spare(surplus);
  const platform::one_look scope;
  const bool looks = surplus.home.marked();
  retire(surplus);
  // To put markers back takes a look at the filters: some that are kept go with it, and the next to be freed find room.
  for (std::size_t left = looks ? retired_together : 1; left > 1; --left) {
    span* const spare = list.take_spare();
    if (spare == nullptr) return;
    retire(*spare);
  }
}

void isolated_arena::retire_unneeded(span_list& list) {
  for (std::size_t left = list.surplus_of_an_age(); left != 0; --left) {
    span* const spare = list.take_spare();
    if (spare == nullptr) return;
    retire(*spare);
  }
}

// ---- Ahead of the secrets that are to come ----

platform::error isolated_arena::open_fresh(span& at, const span::tenancy& wanted, page_run::lock_wanted lock) {
  const platform::one_look scope;
  const auto refusal = open_listed(at, wanted, lock, page_run::stay::lasting);
  if (refusal == 0) open_ahead(at);
  return refusal;
}

void isolated_arena::open_ahead(const span& opened) {
  const bool hides = policy_.hide_error == 0;
  if (policy_.rest != nullptr && policy_.rest->lacks_maps()) return;
  if (is_large(opened) || opened.home.marked() || opened.lock_error() != 0 || opened.hidden() != hides) return;
  if (platform::closed_lock_error() != 0) return;
  const std::size_t page_count = opened.home.place_pages();
  span_list& list = lists_[page_count - 1];
  for (std::size_t left = list.count_ahead(); left != 0 && idle_budget::take(page_count); --left) {
    span* const next = take_place_without_pages(page_count);
    const bool is_open =
        next != nullptr && !next->home.marked() && next->open_ahead(page_, policy_.hide_error, policy_.trap_freed) == 0;
    if (is_open) {
      if (policy_.rest != nullptr) {
        policy_.rest->closed.enlist(*next);
        map_watch::look();
      }
      list.put_spare(*next);
      continue;
    }
    idle_budget::give_back(page_count);
    // At the end of a region there is no place left, and no refusal: the next request maps another region.
    if (next == nullptr) return;
    list.pause_ahead();
    next->run() == nullptr ? list.put_fresh(*next) : list.keep(*next);
    return;
  }
}

span* isolated_arena::take_place_without_pages(std::size_t page_count) {
  if (span* const fresh = lists_[page_count - 1].take_fresh(); fresh != nullptr) return fresh;
  return heap_.take_unused(page_count);
}

// ---- Given back ----

std::size_t isolated_arena::retire(span& idle) {
  if (policy_.rest != nullptr && idle.run() != nullptr) policy_.rest->set_short(false);
  // The run of a secret that was freed while it was sealed is inaccessible: nothing was written to it.
  const bool can_be_verified = !policy_.trap_freed && idle.run() != nullptr && idle.current_access() != platform::access::none;
  if (can_be_verified && !idle.untouched()) end_process(breach::write_after_free, policy_.signal);
  const std::size_t bytes = idle.run_size();
  const bool given_back = idle.run() == nullptr || idle.retire();
  if (policy_.rest != nullptr && given_back) map_watch::look();
  if (!is_large(idle)) {
    span_list& list = lists_[idle.home.place_pages() - 1];
    given_back ? list.put_fresh(idle) : list.keep(idle);
  } else if (given_back) {
    heap_.release_large(idle.home);
  } else {
    heap_.keep(idle);
  }
  return given_back ? bytes : 0;
}

void isolated_arena::release_wiped(span& large) {
  if (policy_.rest != nullptr) policy_.rest->set_short(false);
  if (large.retire(span::region_of_run::goes)) {
    if (policy_.rest != nullptr) map_watch::look();
    heap_.release_large(large.home);
    return;
  }
  large.forbid_run();
  (void)large.protect(platform::access::none);
  heap_.keep(large);
}

std::size_t isolated_arena::trim(trimming why) {
  const bool holds = why == trimming::shortage && policy_.quarantine_holds;
  std::size_t bytes = 0;
  // What was kept before may go now; what is not, comes back to its list.
  const auto retire_kept = [&](auto take) {
    span* all = nullptr;
    for (span* one = take(); one != nullptr; one = take()) {
      one->set_next(all);
      all = one;
    }
    while (all != nullptr) {
      span& one = *all;
      all = one.next();
      bytes += retire(one);
    }
  };
  for (span_list& list : lists_) {
    retire_kept([&] { return list.take_kept(); });
    const auto when = holds ? span_list::quarantine::holds : span_list::quarantine::yields;
    const auto take_idle = [&] { return list.take_any_idle(when); };
    for (span* idle = take_idle(); idle != nullptr; idle = take_idle()) bytes += retire(*idle);
  }
  retire_kept([&] { return heap_.take_kept(); });
  // The last to be freed is in quarantine.
  const auto last = holds ? span_heap::last_freed::stays : span_heap::last_freed::goes;
  for (span* rested = heap_.end_oldest_rest(last); rested != nullptr; rested = heap_.end_oldest_rest(last))
    bytes += retire(*rested);
  // Regions of small spans in which no span is in use go back whole: a page that was once in use keeps a map of its own for as long as
  // its region lives.
  heap_.release_vacant([&](span_region& one) { return lists_[one.place_pages() - 1].withdraw(one); });
  return bytes;
}

}  // namespace lockfast::internal
