// real_time_test.cc - a thread of real-time priority that needs what a thread of ordinary priority is busy with.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <thread>

#include "support/child.h"

namespace {

// The first processor that this process may use, for the calling thread alone.
bool stay_on_one_processor() {
  cpu_set_t allowed;
  CPU_ZERO(&allowed);
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return false;
  std::size_t first = 0;
  while (first < CPU_SETSIZE - 1 && !CPU_ISSET(first, &allowed)) ++first;
  CPU_ZERO(&allowed);
  CPU_SET(first, &allowed);
  return sched_setaffinity(0, sizeof allowed, &allowed) == 0;
}

}  // namespace

TEST_CASE("a thread of real-time priority lets the thread finish that it waits for") {
  const ending end = in_child([] {
    if (!stay_on_one_processor()) skip("no processor to choose");
    // So large that a change of its access is interrupted in the middle.
    constexpr std::size_t size = std::size_t{64} << 20;
    prove(set_variable("LOCKFAST_OPTIONS", "lock=preferred,hidden=off"), "the variable");
    void* const secret = lockfast_malloc_isolated(size);
    prove(secret != nullptr, "a secret");
    std::atomic<bool> done = false;
    std::atomic<int> changes = 0;
    std::thread ordinary([&] {
      while (!done) {
        (void)lockfast_protect(secret, LOCKFAST_READONLY);
        (void)lockfast_protect(secret, LOCKFAST_READWRITE);
        ++changes;
        // So that each change is waited for by itself, and not for a gap between two.
        std::this_thread::sleep_for(std::chrono::milliseconds(1));
      }
    });
    while (changes == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    sched_param priority = {};
    priority.sched_priority = 1;
    const bool real_time = pthread_setschedparam(pthread_self(), SCHED_FIFO, &priority) == 0;
    int starved = 0;
    for (int round = 0; real_time && round < 20; ++round) {
      // Ended by a timer, wherever the other thread is then.
      std::this_thread::sleep_for(std::chrono::milliseconds(3 + round));
      const auto begin = std::chrono::steady_clock::now();
      promised(lockfast_protect(secret, LOCKFAST_READWRITE) == 0, "access");
      // Nearly a second, after which the kernel lets ordinary threads run for a moment.
      starved += std::chrono::steady_clock::now() - begin > std::chrono::milliseconds(700);
    }
    done = true;
    ordinary.join();
    if (!real_time) skip("no right to a real-time priority");
    // A machine that stalls may be as slow once.
    promised(starved <= 1, "a wait of no more than what the other thread is busy with");
  });
  CAPTURE(end.text);
  if (end.skipped()) {
    MESSAGE("skipped: " << end.text);
  } else {
    CHECK(end.clean());
  }
}
