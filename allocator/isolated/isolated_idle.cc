// isolated_idle.cc - pages that no secret has: kept for the next ones, opened ahead of them, and given back.
#include "allocator/isolated/idle_budget.h"
#include "allocator/isolated/isolated.h"
#include "allocator/pages/map_watch.h"
#include "platform/one_look.h"

namespace lockfast::internal {

void isolated_arena::keep_or_retire(span_list& list, span& surplus) {
  // A run without its lock, or without the cover that others have, is no gain to the next secret.
  const bool is_kept = surplus.run() != nullptr && surplus.lock_error() == 0 && idle_budget::take(surplus.home.place_pages());
  if (is_kept) {
    list.put_spare(surplus);
  } else {
    retire(surplus);
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
  const auto refusal = open_listed(at, wanted, lock);
  if (refusal == 0) open_ahead(at);
  return refusal;
}

void isolated_arena::open_ahead(const span& opened) {
  const bool hides = policy_.hide_error == 0;
  if (policy_.rest != nullptr && policy_.rest->lacks_maps()) return;
  if (is_large(opened.home) || opened.home.marked() || opened.lock_error() != 0 || opened.hidden() != hides) return;
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
    list.pause_ahead();
    if (next != nullptr) next->run() == nullptr ? list.put_fresh(*next) : list.keep(*next);
    return;
  }
}

span* isolated_arena::take_place_without_pages(std::size_t page_count) {
  if (span* const fresh = lists_[page_count - 1].take_fresh(); fresh != nullptr) return fresh;
  const scoped_lock held(growth_mutex_);
  span_region* const serving = current_[page_count - 1];
  span* const taken = serving == nullptr ? nullptr : serving->take_unused();
  if (taken != nullptr) taken->set(span::state::busy);
  return taken;
}

// ---- Given back ----

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
  retire_kept([&] { return take_kept_large(); });
  for (;;) {
    span_region* kept = nullptr;
    {
      const scoped_lock held(growth_mutex_);
      // The last to be freed is in quarantine.
      if (large_idle_count_ <= (holds ? 1 : 0)) break;
      kept = large_idle_[0];
      --large_idle_count_;
      for (std::size_t later = 0; later < large_idle_count_; ++later) large_idle_[later] = large_idle_[later + 1];
      large_idle_pages_ -= kept->begin()->run_size() / platform::page_size();
      kept->begin()->set(span::state::busy);
    }
    bytes += retire(*kept->begin());
  }
  release_vacant_regions();
  return bytes;
}

}  // namespace lockfast::internal
