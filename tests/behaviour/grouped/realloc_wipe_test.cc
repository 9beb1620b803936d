// realloc_wipe_test.cc - a grouped secret that is reallocated while everything is wiped, by another thread or by a signal handler.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstddef>
#include <thread>

#include "behaviour/grouped.h"
#include "support/patience.h"
#include "support/sanitized.h"

TEST_CASE("a secret that is resized while everything is wiped keeps whole canaries") {
  if (under_tsan) {
    MESSAGE("skipped: a wipe overwrites what others read");
    return;
  }
  check_clean(in_child([] {
    alarm(patience(120));
    // Of one class, so that it stays where it is.
    constexpr std::size_t longer = 128;
    constexpr std::size_t shorter = 113;
    char* const secret = static_cast<char*>(lockfast_malloc(longer));
    prove(secret != nullptr, "a secret");
    std::atomic<bool> stop = false;
    std::atomic<int> wipes = 0;
    std::thread wiper([&] {
      for (; !stop; ++wipes) lockfast_wipe_all();
    });
    // A hundred thousand wipes on two processors.
    for (int round = 0; round < 3000000 || wipes < 100; ++round) {
      promised(lockfast_realloc(secret, round % 2 == 0 ? shorter : longer) == secret, "it stays");
      promised(lockfast_check(secret) == 0, "whole");
    }
    stop = true;
    wiper.join();
    lockfast_free(secret);
  }));
}

TEST_CASE("a realloc that a signal handler interrupts to wipe everything keeps whole canaries, in a compartment as well") {
  for (const bool in_compartment : {false, true}) {
    CAPTURE(in_compartment);
    check_clean(in_child([&] {
      constexpr std::size_t longer = 128;
      constexpr std::size_t shorter = 113;
      lockfast_compartment* const within = in_compartment ? lockfast_compartment_create() : nullptr;
      prove(!in_compartment || within != nullptr, "a compartment");
      void* const secret = in_compartment ? lockfast_compartment_malloc(within, longer) : lockfast_malloc(longer);
      prove(secret != nullptr, "a secret");
      static volatile std::sig_atomic_t wipes = 0;
      std::signal(SIGPROF, [](int) {
        lockfast_wipe_all();
        wipes = wipes + 1;
      });
      const itimerval often = {{0, 100}, {0, 100}};
      prove(setitimer(ITIMER_PROF, &often, nullptr) == 0, "a timer");
      alarm(patience(120));
      // As often as the system's clock allows: 250 times a second or more.
      for (int round = 0; wipes < 150; ++round) {
        promised(lockfast_realloc(secret, round % 2 == 0 ? shorter : longer) == secret, "it stays");
        promised(lockfast_check(secret) == 0, "whole");
      }
      const itimerval never = {};
      prove(setitimer(ITIMER_PROF, &never, nullptr) == 0, "no timer");
      lockfast_free(secret);
    }));
  }
}
