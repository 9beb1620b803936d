// yield.cc - lets another thread run, where nothing keeps a process from asking for that.
#include <pthread.h>
#include <sched.h>
#include <time.h>

#include "platform/errno_saver.h"
#include "platform/platform.h"

namespace lockfast::platform {

void yield() { (void)sched_yield(); }

// Not a cancellation point.
void sleep_briefly() {
  const errno_saver kept;
  int before = PTHREAD_CANCEL_ENABLE;
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  const timespec moment = {.tv_sec = 0, .tv_nsec = 50000};
  (void)nanosleep(&moment, nullptr);
  (void)pthread_setcancelstate(before, nullptr);
}

}  // namespace lockfast::platform
