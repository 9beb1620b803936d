// signals.h - a write that raises no signal: neither SIGPIPE nor SIGXFSZ, of which most programs die.
//
//    const signals_held held;
//    written = pwrite(...);         // EFBIG or EPIPE, and nothing else
//
// Linux raises both for the thread that writes: they wait while they are blocked, and are taken away again. Other systems raise
// SIGXFSZ for the process, and any thread may get it: there a writer asks for the limit first (size_limit).
//
// Threads: each holds its own. Async-signal-safe.
#ifndef LOCKFAST_PLATFORM_POSIX_SIGNALS_H
#define LOCKFAST_PLATFORM_POSIX_SIGNALS_H

#include <signal.h>

#include <cstdint>

namespace lockfast::platform {

class signals_held {
 public:
  signals_held();
  ~signals_held();
  signals_held(const signals_held&) = delete;
  signals_held& operator=(const signals_held&) = delete;

 private:
  sigset_t before_;   // the thread's mask
  sigset_t pending_;  // what waited already, and goes on waiting
};

// RLIMIT_FSIZE: the first offset that cannot be written.
[[nodiscard]] std::uint64_t size_limit();

}  // namespace lockfast::platform

#endif
