// fork_exclusion.h - hidden pages taken and given back while no fork is under way.
//
// Between the moment that a hidden page is mapped and the moment that it is kept out of forked children, a child would share
// it; and until it is written down where hidden pages are, a child would not know of the gap that it finds there.
//
// Threads: everything, from any thread; one mutex, which nobody holds while taking another. A rest_key's may be held before it.
#ifndef LOCKFAST_ALLOCATOR_PAGES_FORK_EXCLUSION_H
#define LOCKFAST_ALLOCATOR_PAGES_FORK_EXCLUSION_H

#include <cstddef>

#include "allocator/pages/region.h"
#include "allocator/base/scoped_lock.h"
#include "platform/platform.h"

namespace lockfast::internal {

class fork_exclusion {
 public:
  // Held while pages are hidden or given back, until that is written down.
  class scope {
   public:
    scope() : held_(mutex_) {}

   private:
    scoped_lock held_;
  };

  [[nodiscard]] static platform::error hide(const scope& /*held*/, std::byte* address, std::size_t size,
                                            platform::fork_policy policy) {
    platform::reservation again;
    const auto refusal = platform::hide(address, size, policy, again);
    note(address, again);
    return refusal;
  }
  [[nodiscard]] static platform::error unhide(const scope& /*held*/, std::byte* address, std::size_t size,
                                              platform::fork_policy policy) {
    return unhide_at_once(address, size, policy);
  }

  // The same for a caller that holds the scope already or is a signal handler.
  [[nodiscard]] static platform::error unhide_at_once(std::byte* address, std::size_t size, platform::fork_policy policy) {
    platform::reservation again;
    const auto refusal = platform::unhide(address, size, policy, again);
    note(address, again);
    return refusal;
  }
  // Of moved or wiped pages, hidden or not.
  [[nodiscard]] static platform::error vacate(std::byte* address, std::size_t size, std::byte* blank,
                                              platform::fork_policy policy) {
    platform::reservation again;
    const auto refusal = platform::vacate(address, size, blank, policy, again);
    note(address, again);
    return refusal;
  }
  // In a forked child, in the gap that hidden pages left.
  static void reserve_again(std::byte* address, std::size_t size, platform::fork_policy policy) {
    note(address, platform::reserve_again(address, size, policy));
  }
  // In a forked child, over whatever the fork left there; false when that is refused.
  [[nodiscard]] static bool reserve_over(std::byte* address, std::size_t size, platform::fork_policy policy) {
    const auto again = platform::reserve_over(address, size, policy);
    note(address, again);
    return again.address != nullptr;
  }

  static void before_fork() { lock_over_fork(mutex_); }
  static void after_fork() { unlock_after_fork(mutex_); }

 private:
  // Writes refused advice down in the region: from then on the receipt of each of its secrets says so.
  static void note(const std::byte* address, const platform::reservation& again) {
    if (again.dump == 0 && again.fork == 0) return;
    if (region* const in = region::holding(address); in != nullptr) in->note_advice(again);
  }

  inline static constinit platform::mutex mutex_;
};

}  // namespace lockfast::internal

#endif
