// patience.h - how long a test waits before it takes a process for hanging.
#ifndef LOCKFAST_TESTS_SUPPORT_PATIENCE_H
#define LOCKFAST_TESTS_SUPPORT_PATIENCE_H

#include <cstdlib>
#if __has_include(<sys/sysinfo.h>)
#include <sys/sysinfo.h>
#endif

// These seconds, times LOCKFAST_TEST_PATIENCE where that is set. Otherwise as many times as there are threads that want to run for
// each processor (getloadavg(3), the last minute), so that a busy machine is not taken for a hang.
inline unsigned patience(unsigned seconds) {
  unsigned times = 1;
  if (const char* const wanted = std::getenv("LOCKFAST_TEST_PATIENCE")) {
    const int count = std::atoi(wanted);
    times = count < 1 ? 1 : static_cast<unsigned>(count);
#if __has_include(<sys/sysinfo.h>)
  } else if (double load = 0; getloadavg(&load, 1) == 1) {
    times += static_cast<unsigned>(load / get_nprocs());
#endif
  }
  return seconds * times;
}

#endif
