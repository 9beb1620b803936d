// hiding.h - hidden pages taken and given back while no fork is under way.
//
// Between the moment that a hidden page is mapped and the moment that it is kept out of forked children, a child would share it.
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
  [[nodiscard]] static platform::error hide(std::byte* address, std::size_t size, platform::fork_policy policy) {
    const scoped_lock held(exclusion_);
    return platform::hide(address, size, policy);
  }
  [[nodiscard]] static platform::error unhide(std::byte* address, std::size_t size, platform::fork_policy policy) {
    const scoped_lock held(exclusion_);
    return platform::unhide(address, size, policy);
  }

  static void before_fork() { exclusion_.lock(); }
  static void after_fork() { exclusion_.unlock(); }

 private:
  inline static constinit platform::mutex exclusion_;
};

}  // namespace lockfast::internal

#endif
