// shrink.cc - parts of half the plan first, then of a quarter, down to single operations.
#include "stress/shrink.h"

#include <algorithm>

namespace lockfast::stress {

plan shrink(plan failing, const std::function<bool(const plan&)>& fails, std::chrono::seconds time) {
  const auto end = std::chrono::steady_clock::now() + time;
  for (std::size_t part = operation_count(failing); part != 0;) {
    bool shorter = false;
    // From the end: what comes after the failure goes at once.
    for (std::size_t at = operation_count(failing); at != 0;) {
      if (std::chrono::steady_clock::now() >= end) return failing;
      const std::size_t begin = at > part ? at - part : 0;
      if (plan left = without(failing, begin, at - begin); fails(left)) {
        failing = std::move(left);
        shorter = true;
      }
      at = begin;
    }
    if (!shorter || part > 1) part = part / 2;
  }
  return failing;
}

}  // namespace lockfast::stress
