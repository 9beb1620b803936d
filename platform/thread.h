// thread.h - the one thing about threads that Lockfast asks of an operating system: a thread that runs beside the program's.
#ifndef LOCKFAST_PLATFORM_THREAD_H
#define LOCKFAST_PLATFORM_THREAD_H

namespace lockfast::platform {

// Starts a thread that nobody waits for, with every signal blocked but those of faults: so the program's handlers run on its own
// threads, and a fault meets the handlers that any other would. Returns the errno of a refusal.
[[nodiscard]] int start_thread(void (*run)());

}  // namespace lockfast::platform

#endif
