// backoff.h - waits for a thread that is busy with what this one needs: yields first, then sleeps.
//
// A thread of real-time priority that only yields keeps a thread of lower priority off the processor, so that the thread that it
// waits for never finishes.
//
// Threads: each has its own.
#ifndef LOCKFAST_ALLOCATOR_BASE_BACKOFF_H
#define LOCKFAST_ALLOCATOR_BASE_BACKOFF_H

#include "platform/platform.h"

namespace lockfast::internal {

class backoff {
 public:
  void wait() {
    if (yields_ == max_yields) {
      platform::sleep_briefly();
    } else {
      ++yields_;
      platform::yield();
    }
  }

 private:
  static constexpr int max_yields = 100;  // longer than most operations on a span take
  int yields_ = 0;
};

}  // namespace lockfast::internal

#endif
