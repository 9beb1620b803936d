// baton.h - one of several threads runs at a time; at each scheduling point it may have to give way to another.
//
// The threads are real ones, since the library has variables of each thread and takes notice of a thread's end. They pass a
// baton: the thread that has it runs, and the others wait. A thread that waits for a mutex, or yields, passes it on by itself;
// at a preemption it passes it on because a schedule says so. What was done is recorded where another process can read it, also
// when this one dies.
//
// Threads: run() is called by a thread that is none of those that it starts. The other functions are called by the thread that
// has the baton. Outside run() there are no scheduling points.
#ifndef LOCKFAST_TESTS_INTERLEAVING_BATON_H
#define LOCKFAST_TESTS_INTERLEAVING_BATON_H

#include <pthread.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "tests/interleaving/schedule.h"

namespace lockfast::interleaving {

enum class touch : unsigned char { read, write };

// A scheduling point: the running thread is about to read or write what lies there.
void announce(const void* address, touch how);

// Mutexes: each call is a scheduling point, and a thread that must wait passes the baton on.
int lock(pthread_mutex_t* mutex);
int unlock(pthread_mutex_t* mutex);
int try_lock(pthread_mutex_t* mutex);

// What was announced, by whom, and which threads (a bit for each) could have gone on instead.
struct step {
  std::uintptr_t address;
  touch how;
  std::uint8_t thread;
  std::uint8_t ready;
};

struct record {
  static constexpr std::size_t max_steps = 100000;
  std::size_t count;
  step steps[max_steps];
};

inline constexpr unsigned max_threads = 3;

enum class ending_of_threads : unsigned char { not_reached, announced };

// Has the bodies run, one thread for each, and returns when all have ended. Leaves the process (wrong()) when all of them wait,
// when they go on for too long, and when the schedule names a thread that cannot run. A thread's end is a part of what it does
// only if it is announced: otherwise the threads stay until the process goes.
void run(std::span<void (*const)()> bodies, const schedule& by, record& into, ending_of_threads ends);

// Says what is wrong and leaves the process.
[[noreturn]] void wrong(const char* what);

}  // namespace lockfast::interleaving

#endif
