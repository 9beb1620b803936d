// posix.cc - what every POSIX host does alike: fork handlers, messages, the end of the process.
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/platform.h"
#include "platform/posix_signals.h"

namespace lockfast::platform {
namespace {

constexpr int fatal_signals[] = {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT};
constexpr std::size_t fatal_count = sizeof fatal_signals / sizeof *fatal_signals;

void (*fatal_call)();
struct sigaction earlier_actions[fatal_count];

// Whether a process sent the signal, and no instruction raised it: Linux and OpenBSD have no positive code for that (SI_USER,
// SI_TKILL), macOS and FreeBSD have codes far above those of faults (0x10001 and on).
bool is_sent(const siginfo_t& information) { return information.si_code <= 0 || information.si_code >= 0x10000; }

void (*exit_call)();
pthread_key_t exit_key;
bool has_exit_key = false;

void on_exit_of_thread(void*) { exit_call(); }

// Puts the earlier actions back, so that a second fault, in the call or after it, is theirs, and lets the signal happen again:
// a fault does when its instruction is run again, abort() raises anew, and what was sent is sent once more.
void on_signal(int number, siginfo_t* information, void*) {
  const int saved = errno;
  for (std::size_t which = 0; which < fatal_count; ++which) {
    (void)sigaction(fatal_signals[which], &earlier_actions[which], nullptr);
  }
  fatal_call();
  if (is_sent(*information)) (void)raise(number);
  errno = saved;
}

}  // namespace

error on_fatal_signal(void (*call)()) {
  fatal_call = call;
  struct sigaction action = {};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  (void)sigfillset(&action.sa_mask);
  for (std::size_t which = 0; which < fatal_count; ++which) {
    if (sigaction(fatal_signals[which], &action, &earlier_actions[which]) != 0) return errno;
  }
  return 0;
}

void stay_loaded() {}

void at_fork(void (*prepare)(), void (*parent)(), void (*child)()) { (void)pthread_atfork(prepare, parent, child); }

error at_thread_exit(void (*call)()) {
  exit_call = call;
  const error refusal = pthread_key_create(&exit_key, on_exit_of_thread);
  has_exit_key = refusal == 0;
  return refusal;
}

// Any value that is not null has the key's destructor called.
void expect_thread_exit() {
  if (has_exit_key) (void)pthread_setspecific(exit_key, &exit_key);
}

// Where nobody reads standard error, or a file of the program has reached its limit, the line is lost, and the end is as without.
void write_line(std::span<const char> line) {
  const signals_held held;
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written <= 0) return;
    line = line.subspan(static_cast<std::size_t>(written));
  }
}

void terminate() { abort(); }

void raise_access_violation() { (void)raise(SIGSEGV); }

void yield() { (void)sched_yield(); }

}  // namespace lockfast::platform
