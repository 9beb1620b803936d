// planted.h - which fault of tests/mutants.txt is on; scripts/mutate has each file of its copy that has faults include this first.
//
// The environment says so once, before anything that it holds can be taken away: a process that is asked later answers from here.
// It is asked in constructors, signal handlers and sandboxes, so it takes nothing but the environment, and no system call.
#ifndef LOCKFAST_TESTS_SUPPORT_PLANTED_H
#define LOCKFAST_TESTS_SUPPORT_PLANTED_H

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

// What a fault makes of correct code is no cause for warnings.
#pragma GCC diagnostic ignored "-Wunused"
#pragma GCC diagnostic ignored "-Wunused-parameter"
#pragma GCC diagnostic ignored "-Wunused-value"
#pragma GCC diagnostic ignored "-Wunused-result"
#pragma GCC diagnostic ignored "-Wconversion"
#pragma GCC diagnostic ignored "-Wsign-conversion"
#pragma GCC diagnostic ignored "-Wextra"
#pragma GCC diagnostic ignored "-Wparentheses"
#pragma GCC diagnostic ignored "-Wdangling-else"
#pragma GCC diagnostic ignored "-Wlogical-op"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wimplicit-fallthrough"

namespace lockfast_planted {

inline int chosen = -1;  // -1: not asked yet; 0: none
inline const char* mark = nullptr;

[[gnu::cold, gnu::noinline]] inline int choose() {
  const char* const number = getenv("LOCKFAST_PLANTED");
  mark = getenv("LOCKFAST_PLANTED_MARK");
  const int read = number == nullptr ? 0 : atoi(number);
  __atomic_store_n(&chosen, read, __ATOMIC_RELEASE);
  return read;
}

// Leaves a file where a fault was reached: only for a run whose outcome does not count, since a sandbox may forbid it.
[[gnu::cold, gnu::noinline]] inline void leave_mark() {
  const char* const path = __atomic_exchange_n(&mark, nullptr, __ATOMIC_RELAXED);
  if (path == nullptr) return;
  const int kept = errno;
  if (const int file = open(path, O_WRONLY | O_CLOEXEC); file >= 0) {
    (void)!write(file, "x", 1);
    close(file);
  }
  errno = kept;
}

inline bool is_on(int number) {
  int now = __atomic_load_n(&chosen, __ATOMIC_ACQUIRE);
  if (now < 0) now = choose();
  if (now != number) return false;
  leave_mark();
  return true;
}

// The first that is asked of a library is asked when it is loaded.
[[gnu::constructor(101)]] inline void ask_when_loaded() { (void)choose(); }

}  // namespace lockfast_planted

constexpr bool planted(int number) {
  if (__builtin_is_constant_evaluated()) {
    return false;
  } else {
    return lockfast_planted::is_on(number);
  }
}

#endif
