// thread.h - what Lockfast asks of an operating system beside memory and files: a thread that runs beside the program's, and a clock
// that goes on while the machine sleeps.
#ifndef LOCKFAST_PLATFORM_THREAD_H
#define LOCKFAST_PLATFORM_THREAD_H

#include <chrono>

namespace lockfast::platform {

// Starts a thread that nobody waits for, with every signal blocked but those of faults: so the program's handlers run on its own
// threads, and a fault meets the handlers that any other would. Returns the errno of a refusal.
[[nodiscard]] int start_thread(void (*run)());

// The time since some moment before the program began. It never goes back. It goes on while the machine sleeps, where the system
// has such a clock: Linux, OpenBSD, macOS and Windows have one.
[[nodiscard]] std::chrono::nanoseconds elapsed_time();

}  // namespace lockfast::platform

#endif
