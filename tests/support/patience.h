// patience.h - how long a test waits before it takes a process for hanging.
#ifndef LOCKFAST_TESTS_SUPPORT_PATIENCE_H
#define LOCKFAST_TESTS_SUPPORT_PATIENCE_H

#include <cstdlib>

// These seconds, or, on a machine that is slow as a whole, LOCKFAST_TEST_PATIENCE times as many.
inline unsigned patience(unsigned seconds) {
  const char* const times = std::getenv("LOCKFAST_TEST_PATIENCE");
  const int count = times == nullptr ? 1 : std::atoi(times);
  return seconds * static_cast<unsigned>(count < 1 ? 1 : count);
}

#endif
