// posix_thread.cc - a detached POSIX thread.
#include <pthread.h>
#include <signal.h>

#include <initializer_list>

#include "platform/thread.h"

namespace lockfast::platform {
namespace {

using body = void (*)();

void* run_body(void* argument) {
  reinterpret_cast<body>(argument)();
  return nullptr;
}

}  // namespace

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
