// hiding.h - hidden pages taken and given back while no fork is under way.
//
// Between the moment that a hidden page is mapped and the moment that it is kept out of forked children, a child would share
// it; and until it is written down where hidden pages are, a child would not know of the gap that it finds there.
//
// Threads: everything, from any thread; one mutex, which nobody holds while taking another.
#ifndef LOCKFAST_ALLOCATOR_HIDING_H
#define LOCKFAST_ALLOCATOR_HIDING_H

#include <cstddef>

#include "allocator/scoped_lock.h"
#include "platform/platform.h"

namespace lockfast::internal {

class hiding {
 public:
  // Held while pages are hidden or given back, until that is written down.
  class scope {
   public:
    scope() : held_(exclusion_) {}

   private:
    scoped_lock held_;
  };

  [[nodiscard]] static platform::error hide(const scope& /*held*/, std::byte* address, std::size_t size,
                                            platform::fork_policy policy) {
    return platform::hide(address, size, policy);
  }
  [[nodiscard]] static platform::error unhide(const scope& /*held*/, std::byte* address, std::size_t size,
                                              platform::fork_policy policy) {
    return platform::unhide(address, size, policy);
  }

  static void before_fork() { exclusion_.lock(); }
  static void after_fork() { exclusion_.unlock(); }

 private:
  inline static constinit platform::mutex exclusion_;
};

}  // namespace lockfast::internal

#endif
