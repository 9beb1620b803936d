// process.cc - what every POSIX host does alike: fork handlers, messages, the end of the process.
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/platform.h"
#include "platform/posix/signals.h"

namespace lockfast::platform {
namespace {

void (*exit_call)();
pthread_key_t exit_key;
bool has_exit_key = false;

void on_exit_of_thread(void*) { exit_call(); }

void write_uncancelled(std::span<const char> line) {
  const signals_held held;
  while (!line.empty()) {
    const ssize_t written = write(STDERR_FILENO, line.data(), line.size());
    if (written <= 0) return;
    line = line.subspan(static_cast<std::size_t>(written));
  }
}

}  // namespace

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
// Not a cancellation point: a thread that ended there would not end the process.
void write_line(std::span<const char> line) {
  int before = PTHREAD_CANCEL_ENABLE;
  (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &before);
  write_uncancelled(line);
  (void)pthread_setcancelstate(before, nullptr);
}

void terminate() { abort(); }

void raise_access_violation() { (void)raise(SIGSEGV); }

}  // namespace lockfast::platform
