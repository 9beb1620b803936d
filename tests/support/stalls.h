// stalls.h - tests of what is to hold before a time has passed, on a machine that may let it pass.
#ifndef LOCKFAST_TESTS_SUPPORT_STALLS_H
#define LOCKFAST_TESTS_SUPPORT_STALLS_H

#include <algorithm>
#include <chrono>

// The longest time between two calls of step().
class steps {
 public:
  using clock = std::chrono::steady_clock;

  void step() {
    const auto now = clock::now();
    longest_ = std::max(longest_, now - last_);
    last_ = now;
  }
  [[nodiscard]] clock::duration longest() const { return longest_; }

 private:
  clock::time_point last_ = clock::now();
  clock::duration longest_{0};
};

// Whether attempt(steps&) holds, which is to call step() where the time is counted from its beginning again. One that does not hold
// and had a step of `limit` or longer says nothing, as a busy machine may have kept it waiting, and another follows.
template <class Attempt>
bool holds_unless_stalled(std::chrono::milliseconds limit, Attempt&& attempt) {
  for (int round = 0; round < 50; ++round) {
    steps taken;
    if (attempt(taken)) return true;
    taken.step();
    if (taken.longest() < limit) return false;
  }
  return false;
}

#endif
