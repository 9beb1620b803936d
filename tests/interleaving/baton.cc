// baton.cc - how the right to run goes from one thread to the next.
#include "tests/interleaving/baton.h"

#include <cstdio>
#include <optional>
#include <semaphore>
#include <thread>
#include <unistd.h>

#include "platform/platform.h"
#include "platform/simulated/simulated.h"

namespace lockfast::interleaving {
namespace {

constexpr std::size_t max_yields = 100000;
constexpr unsigned nobody = max_threads;

struct runner {
  std::binary_semaphore turn{0};
  const void* waits_for = nullptr;  // a mutex
  bool ended = true;
};

// Only the thread that has the baton, which is the one that runs, reads or writes this.
struct state {
  runner runners[max_threads];
  std::binary_semaphore all_ended{0};
  const schedule* by = nullptr;
  std::size_t next = 0;  // preemption
  record* into = nullptr;
  std::size_t yields = 0;
} the;

constinit thread_local unsigned me = nobody;

bool is_ready(unsigned thread) { return !the.runners[thread].ended && the.runners[thread].waits_for == nullptr; }

// The next that can go on after this one, in turn; nobody when none can but it.
unsigned next_ready() {
  for (unsigned further = 1; further < max_threads; ++further) {
    const unsigned thread = (me + further) % max_threads;
    if (is_ready(thread)) return thread;
  }
  return nobody;
}

void pass_to(unsigned thread) {
  the.runners[thread].turn.release();
  the.runners[me].turn.acquire();
}

void yield_to_next() {
  if (me == nobody) return;
  if (++the.yields > max_yields) wrong("livelock: the threads only yield");
  if (const unsigned thread = next_ready(); thread != nobody) pass_to(thread);
}

// The last thing that a thread does with the baton.
void end() {
  the.runners[me].ended = true;
  if (const unsigned thread = next_ready(); thread != nobody) {
    the.runners[thread].turn.release();
    return;
  }
  for (const runner& each : the.runners) {
    if (!each.ended) wrong("deadlock: who is left waits for a mutex that nobody gives back");
  }
  the.all_ended.release();
}

void take_turn(unsigned thread, void (*body)()) {
  me = thread;
  the.runners[me].turn.acquire();
  body();
}

// In a child that a body forks no thread is left to pass anything to. The handlers of a child run in the order in which they were
// registered, and the library registers its own by the first of all constructors.
void stand_alone_in_child() {
  (void)pthread_atfork(nullptr, nullptr, [] { me = nobody; });
}
[[gnu::section(".preinit_array"), gnu::used]] void (*const before_constructors)() = stand_alone_in_child;

}  // namespace

void announce(const void* address, touch how) {
  if (me == nobody) return;
  const std::size_t point = the.into->count;
  if (point == record::max_steps) wrong("livelock: the threads do not end");
  unsigned ready = 0;
  for (unsigned thread = 0; thread < max_threads; ++thread) ready |= static_cast<unsigned>(is_ready(thread)) << thread;
  the.into->steps[point] = {reinterpret_cast<std::uintptr_t>(address), how, static_cast<std::uint8_t>(me),
                            static_cast<std::uint8_t>(ready)};
  the.into->count = point + 1;
  if (the.next == the.by->size() || (*the.by)[the.next].point != point) return;
  const unsigned thread = (*the.by)[the.next++].thread;
  if (thread >= max_threads || thread == me || !is_ready(thread)) wrong("the schedule is none of this scenario's");
  pass_to(thread);
}

int lock(pthread_mutex_t* mutex) {
  if (me == nobody) return pthread_mutex_lock(mutex);
  for (;;) {
    announce(mutex, touch::write);
    if (pthread_mutex_trylock(mutex) == 0) return 0;
    the.runners[me].waits_for = mutex;
    const unsigned thread = next_ready();
    if (thread == nobody) wrong("deadlock: each thread waits for a mutex that another has");
    pass_to(thread);
  }
}

int unlock(pthread_mutex_t* mutex) {
  announce(mutex, touch::write);
  for (runner& each : the.runners) {
    if (each.waits_for == mutex) each.waits_for = nullptr;
  }
  return pthread_mutex_unlock(mutex);
}

int try_lock(pthread_mutex_t* mutex) {
  announce(mutex, touch::write);
  return pthread_mutex_trylock(mutex);
}

void run(std::span<void (*const)()> bodies, const schedule& by, record& into, ending_of_threads ends) {
  the.by = &by;
  the.into = &into;
  into.count = 0;
  // The calls to the host may all depend on each other: by its limits, and by what neighbouring pages are.
  simulated::observe_calls([] { announce(&the.into, touch::write); });
  for (unsigned thread = 0; thread < bodies.size(); ++thread) the.runners[thread].ended = false;
  for (unsigned thread = 0; thread < bodies.size(); ++thread) {
    std::thread([=, body = bodies[thread]] {
      if (ends == ending_of_threads::announced) {
        std::thread(take_turn, thread, body).join();
        me = thread;
        end();
      } else {
        take_turn(thread, body);
        end();
        the.runners[me].turn.acquire();  // for ever
      }
    }).detach();
  }
  the.runners[0].turn.release();
  the.all_ended.acquire();
  simulated::observe_calls(nullptr);
}

void wrong(const char* what) {
  dprintf(STDERR_FILENO, "%s\n", what);
  _exit(1);
}

}  // namespace lockfast::interleaving

// In the place of posix/yield.cc.
namespace lockfast::platform {

void yield() { interleaving::yield_to_next(); }
void sleep_briefly() { interleaving::yield_to_next(); }

}  // namespace lockfast::platform
