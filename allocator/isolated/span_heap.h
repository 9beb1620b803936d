// span_heap.h - an arena's address space for spans: where new places come from, and large ones that are kept for the next secret.
//
// Places of up to small_pages pages come from regions of many places of that page count. A larger place is a region of its own. A few
// large ones rest, idle, with their pages:
//
//    freed --> resting, oldest first --> taken for a secret of as many pages, but never the last to be freed
//                 | over the limit, or at a trim
//                 v
//              released, or kept where the system does not take the pages back
//
// Invariants
//   1. A large place that rests or is kept is idle.
//   2. resting_pages_ is the sum of the pages that rest.
//
// Threads: everything, from any thread; one mutex, held while a region is reserved or released.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SPAN_HEAP_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SPAN_HEAP_H

#include <cstddef>

#include "allocator/base/scoped_lock.h"
#include "allocator/isolated/span.h"
#include "allocator/isolated/span_region.h"
#include "allocator/pages/region_stock.h"
#include "platform/platform.h"

namespace lockfast::internal {

class span_heap {
 public:
  static constexpr std::size_t small_pages = 16;
  static constexpr std::size_t max_resting = 16;

  struct settings {
    platform::fork_policy fork;
    std::size_t max_resting_pages;
    // From how many maps on, in all heaps, new regions have guard markers; SIZE_MAX where they have none.
    std::size_t marked_from_maps;
  };

  constexpr span_heap() = default;
  void start(isolated_arena& owner, const settings& chosen) {
    owner_ = &owner;
    settings_ = chosen;
  }

  [[nodiscard]] static bool is_large(const span_region& one) { return one.place_pages() > small_pages; }

  // ---- Small places: fresh, busy with the caller; null when there is none ----

  // One that has never been used, of the region that serves.
  [[nodiscard]] span* take_unused(std::size_t page_count);
  // The same, of a new region where that has none left.
  [[nodiscard]] span* take(std::size_t page_count);

  // ---- Large places, busy with the caller ----

  struct large_place {
    span* at;
    bool idle;
  };
  // exact: one that rests or is kept, if its run has just as many pages; otherwise a new one. Null when the system refuses.
  [[nodiscard]] large_place take_large(std::size_t page_count, bool exact);
  // Whether a freed one rests: its run fills its place, so that it serves a secret of as many pages, and it is no larger than all that
  // may rest.
  [[nodiscard]] bool rests(const span& freed) const;
  // Has a freed one rest. Those that must leave for it, or itself where it is not to rest, are busy with the caller, who gives their
  // pages back: how many.
  [[nodiscard]] std::size_t rest(span& freed, span* (&leaving)[max_resting + 1]);
  // The one that has rested longest; null when there is none, or one at most that stays.
  enum class last_freed : bool { goes, stays };
  [[nodiscard]] span* end_oldest_rest(last_freed which);
  // Keeps an idle one whose pages the system does not take back.
  void keep(span& idle);
  [[nodiscard]] span* take_kept();
  // Releases the region of a large place that has no pages.
  void release_large(span_region& emptied);

  // ---- Regions ----

  // Releases each region of small places of which withdraw(region) says that none of its places is in use.
  template <class Withdraw>
  void release_vacant(Withdraw withdraw) {
    const scoped_lock held(stock_.mutex());
    stock_.for_each([&](span_region& one) {
      if (!one.empty() && !is_large(one) && withdraw(one)) release(one);
    });
  }
  // Counts the maps that a region without markers may come to need.
  static void count_maps(const span_region& unmarked);

  // Calls act() while no region is reserved or released.
  template <class Act>
  void while_still(Act act) {
    const scoped_lock held(stock_.mutex());
    act();
  }
  // Calls act(span_region&) for each record, released ones too; act(span&) for each place that was ever taken.
  template <class Act>
  void for_each_region(Act act) const {
    stock_.for_each(act);
  }
  template <class Act>
  void for_each(Act act) const {
    stock_.for_each([&](span_region& one) {
      for (span* at = one.begin(); at < one.end(); ++at) act(*at);
    });
  }

  // ---- A fork ----

  void before_fork() { lock_over_fork(stock_.mutex()); }
  void after_fork() { unlock_after_fork(stock_.mutex()); }
  // In a forked child: the lists are empty until the child puts its spans into them.
  void reset_in_child();

 private:
  using stock = region_stock<span_region, small_pages + 1>;

  [[nodiscard]] static std::size_t kind_of(std::size_t page_count) {
    return page_count > small_pages ? small_pages : page_count - 1;
  }
  [[nodiscard]] span_region* reserve(std::size_t page_count);
  [[nodiscard]] span_region* reserve_places(std::size_t page_count, std::size_t place_count, region_map::place where);
  [[nodiscard]] span* take_resting(std::size_t page_count);
  [[nodiscard]] span* take_kept_of(std::size_t page_count);
  [[nodiscard]] span& leave_rest(std::size_t index);
  void release(span_region& vacant);

  isolated_arena* owner_ = nullptr;
  settings settings_ = {};
  stock stock_;
  span* resting_[max_resting] = {};  // oldest first
  std::size_t resting_count_ = 0;
  std::size_t resting_pages_ = 0;
  span* kept_ = nullptr;
};

}  // namespace lockfast::internal

#endif
