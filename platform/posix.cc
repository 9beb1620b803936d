// posix.cc - what every POSIX host does alike: fork handlers, messages, the end of the process.
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "platform/platform.h"

namespace lockfast::platform {

void at_fork(void (*prepare)(), void (*parent)(), void (*child)()) { (void)pthread_atfork(prepare, parent, child); }

void write_line(std::span<const char> line) {
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
