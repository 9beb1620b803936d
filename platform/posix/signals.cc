// signals.cc - blocked, taken away, and as it was.
#include "platform/posix/signals.h"

#include <errno.h>
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

namespace lockfast::platform {
namespace {

constexpr int held_signals[] = {SIGPIPE, SIGXFSZ};

// Takes one away that waits for this thread.
void take_away(int number) {
  sigset_t one;
  (void)sigemptyset(&one);
  (void)sigaddset(&one, number);
#if defined(__APPLE__) || defined(__OpenBSD__)
  int taken = 0;
  (void)sigwait(&one, &taken);
#else
  // Where it waits for the process another thread may be faster: so not for longer than a look takes.
  constexpr timespec at_once = {};
  while (sigtimedwait(&one, nullptr, &at_once) < 0 && errno == EINTR) {
  }
#endif
}

}  // namespace

signals_held::signals_held() {
  sigset_t blocked;
  (void)sigemptyset(&blocked);
  for (const int each : held_signals) (void)sigaddset(&blocked, each);
  (void)pthread_sigmask(SIG_BLOCK, &blocked, &before_);
  (void)sigemptyset(&pending_);
  (void)sigpending(&pending_);
}

signals_held::~signals_held() {
  const int saved = errno;
  sigset_t now;
  (void)sigemptyset(&now);
  (void)sigpending(&now);
  for (const int each : held_signals) {
    if (sigismember(&now, each) == 1 && sigismember(&pending_, each) != 1) take_away(each);
  }
  (void)pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  errno = saved;
}

std::uint64_t size_limit() {
  rlimit found = {};
  if (getrlimit(RLIMIT_FSIZE, &found) != 0 || found.rlim_cur == RLIM_INFINITY) return UINT64_MAX;
  return static_cast<std::uint64_t>(found.rlim_cur);  // FreeBSD's is signed
}

}  // namespace lockfast::platform
