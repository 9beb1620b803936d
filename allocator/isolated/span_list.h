// span_list.h - the spans of one size that no secret uses: which one serves next, and which give their pages back.
//
//    freed --> quarantine (first in, first out) --> ready (chosen at random) --> used again
//                                                     | full     ^ empty
//                                                     v          |
//                                                   spare (idle_budget)
//                                                     | over the budget, not needed for a while, or at a shortage
//                                                     v
//                                                   fresh (no pages) <-- never used
//                                                     ^ refused: kept, idle, with its pages
//
// A freed span is not used again before as many others have been freed as the quarantine holds, unless a shortage leaves no
// other.
//
// Invariants
//   1. Quarantined, ready, spare and kept spans are idle: wiped and, where the system allows it, locked. Fresh spans own no pages.
//   2. live + quarantined + ready + spare + kept + fresh + never used == places, but for the spans that somebody is busy with.
//   3. The idle_budget counts the pages of every spare span.
//
// Threads: everything under its mutex, which is held across no system call but the one that seeds the choices.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SPAN_LIST_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SPAN_LIST_H

#include <cstddef>
#include <cstdint>

#include "allocator/base/random.h"
#include "allocator/base/relaxed.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/isolated/span.h"
#include "allocator/isolated/span_region.h"
#include "platform/platform.h"

namespace lockfast::internal {

class alignas(64) span_list {
 public:
  static constexpr std::size_t max_quarantined = 16;
  static constexpr std::size_t max_ready = 256;

  constexpr span_list() = default;

  // Sets how many freed spans rest before the first is used again, 1 to max_quarantined, and how many more are kept ready,
  // at most max_ready.
  void set_depths(std::size_t quarantined, std::size_t ready) {
    depth_ = static_cast<std::uint32_t>(quarantined);
    ready_limit_ = static_cast<std::uint32_t>(ready);
  }

  // A random ready span, else null; busy with the caller.
  [[nodiscard]] span* take_ready();
  // Makes spare spans ready, as many as there is room for; false when there is none.
  [[nodiscard]] bool refill_ready();
  // A span without pages that has had some, else null; busy with the caller.
  [[nodiscard]] span* take_fresh();

  // What a span that comes back counts as: freed, or taken and not used after all, from the ready ones or from elsewhere.
  enum class tally : unsigned char { freed, taken_back, nothing };
  // Puts an idle span, busy with the caller, into quarantine. Returns the span that must give its pages back instead, busy
  // with the caller, or null: the one that leaves quarantine when there is no room for it among the ready.
  [[nodiscard]] span* put_idle(span& freed, tally as = tally::freed);
  void put_fresh(span& retired);

  // Keeps such a span with its pages, which the caller has taken from the idle_budget.
  void put_spare(span& surplus);
  // One of those, else null; busy with the caller.
  [[nodiscard]] span* take_spare();
  // How many places are to be opened ahead: an eighth of those in use, a bounded number; none for a while after one was refused.
  [[nodiscard]] std::size_t count_ahead();
  void pause_ahead();
  // Every so many frees the list is due for a look at how many of its spare spans nobody needed since the look before.
  [[nodiscard]] bool due() const { return spare_count_ != 0 && frees_ % frees_of_an_age == 0; }
  // Half of those, a bounded number: they are to be retired.
  [[nodiscard]] std::size_t surplus_of_an_age();

  // Keeps an idle span, busy with the caller, whose pages the system does not take back: it serves like a fresh one.
  void keep(span& idle);
  // One of those, else null; busy with the caller.
  [[nodiscard]] span* take_kept();

  // Takes every span of a region out of the fresh ones, when all that were ever used are fresh; else false, and nothing.
  [[nodiscard]] bool withdraw(span_region& vacant);

  // Any span that is ready, spare or quarantined, else null; busy with the caller. The quarantine is left alone where it holds.
  enum class quarantine : bool { yields, holds };
  [[nodiscard]] span* take_any_idle(quarantine when = quarantine::yields);

  // Empties the list for a forked child, which puts its own spans into it and draws a seed of its own.
  void reset_in_child();
  // Spans that put_idle ever took as freed, and those that take_ready gave for good.
  [[nodiscard]] std::uint64_t frees() const { return frees_; }
  [[nodiscard]] std::uint64_t taken() const { return taken_; }
  // Counts a span that came from elsewhere than take_ready() and is used.
  void count_grown();
  // Counts a span that is used no more and does not come back to this list as an idle one.
  void count_freed();
  // The most spans of this list that were used at once.
  [[nodiscard]] std::uint64_t max_used() const { return max_used_; }

 private:
  static constexpr std::size_t frees_of_an_age = 4096;
  static constexpr std::size_t max_retired_of_an_age = 128;
  static constexpr std::size_t max_ahead = 16;
  static constexpr std::uint32_t openings_after_refusal = 256;

  [[nodiscard]] span& leave_quarantine();
  // The next spare span, taken out of the list and of the budget. Requires that there is one.
  [[nodiscard]] span& leave_spares();
  void note_used() {
    const std::uint64_t given = taken_ + grown_;
    if (given > frees_ + max_used_) max_used_ = given - frees_;
  }

  platform::mutex mutex_;
  std::uint32_t quarantined_count_ = 0;
  std::uint32_t oldest_ = 0;
  std::uint32_t ready_count_ = 0;
  std::uint32_t depth_ = max_quarantined;
  std::uint32_t ready_limit_ = max_ready;
  relaxed<std::uint64_t> frees_;
  relaxed<std::uint64_t> taken_;
  std::uint64_t grown_ = 0;
  relaxed<std::uint64_t> max_used_;
  span* fresh_ = nullptr;
  span* kept_ = nullptr;
  span* spare_ = nullptr;
  relaxed<std::size_t> spare_count_;
  std::size_t min_spare_count_ = 0;  // since the last look
  std::uint32_t openings_without_ahead_ = 0;
  random_choice random_;
  span* quarantined_[max_quarantined] = {};
  span* ready_[max_ready] = {};
};

// ---- What a warm pair of allocation and release runs through ----

inline span* span_list::take_ready() {
  const scoped_lock held(mutex_);
  if (ready_count_ == 0) return nullptr;
  const std::size_t chosen = random_.below(ready_count_);
  span* const taken = ready_[chosen];
  ready_[chosen] = ready_[--ready_count_];
  taken_ = taken_ + 1;
  note_used();
  taken->set(span::state::busy);
  return taken;
}

inline span& span_list::leave_quarantine() {
  span& left = *quarantined_[oldest_];
  if (++oldest_ == depth_) oldest_ = 0;
  --quarantined_count_;
  return left;
}

inline span* span_list::put_idle(span& freed, tally as) {
  const scoped_lock held(mutex_);
  frees_ = frees_ + (as == tally::freed);
  taken_ = taken_ - (as == tally::taken_back);
  span* surplus = nullptr;
  if (quarantined_count_ == depth_) {
    span& rested = leave_quarantine();
    if (ready_count_ < ready_limit_) {
      ready_[ready_count_++] = &rested;
    } else {
      surplus = &rested;
      surplus->set(span::state::busy);
    }
  }
  const std::uint32_t newest = oldest_ + quarantined_count_++;
  quarantined_[newest < depth_ ? newest : newest - depth_] = &freed;
  freed.set(span::state::idle);
  return surplus;
}

}  // namespace lockfast::internal

#endif
