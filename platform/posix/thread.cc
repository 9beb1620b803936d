// thread.cc - a detached POSIX thread, and the clock.
#include <pthread.h>
#include <signal.h>
#include <time.h>

#include <initializer_list>

#include "platform/thread.h"

namespace lockfast::platform {
namespace {

using body = void (*)();

void* run_body(void* argument) {
  reinterpret_cast<body>(argument)();
  return nullptr;
}

// macOS's monotonic clock goes on while the machine sleeps; others have another clock for that.
#if defined(CLOCK_BOOTTIME)
constexpr clockid_t clock_that_goes_on = CLOCK_BOOTTIME;
#else
constexpr clockid_t clock_that_goes_on = CLOCK_MONOTONIC;
#endif

}  // namespace

std::chrono::nanoseconds elapsed_time() {
  timespec now = {};
  // A filter may refuse the call for the one clock alone.
  if (clock_gettime(clock_that_goes_on, &now) != 0) (void)clock_gettime(CLOCK_MONOTONIC, &now);
  return std::chrono::seconds(now.tv_sec) + std::chrono::nanoseconds(now.tv_nsec);
}

int start_thread(void (*run)()) {
  sigset_t blocked;
  sigset_t before;
  (void)sigfillset(&blocked);
  // Blocked, a fault would end the process without the handler.
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS}) (void)sigdelset(&blocked, fault);
  (void)pthread_sigmask(SIG_SETMASK, &blocked, &before);
  pthread_t made;
  const int refusal = pthread_create(&made, nullptr, run_body, reinterpret_cast<void*>(run));
  if (refusal == 0) (void)pthread_detach(made);
  (void)pthread_sigmask(SIG_SETMASK, &before, nullptr);
  return refusal;
}

}  // namespace lockfast::platform
