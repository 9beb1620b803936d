// exploration.h - runs a scenario under each schedule of at most so many preemptions, in a process of its own each time.
//
// Few preemptions find most races (Musuvathi and Qadeer, Iterative Context Bounding for Systematic Testing of Multithreaded
// Programs, PLDI 2007). The scenario is prepared once, and each run goes on in a copy of that process: so all runs begin with the
// same memory, the point of a number is the same in all that have been preempted alike so far, and a run that dies is an outcome
// like another.
//
// A schedule is left out if it can only repeat another: where a thread is preempted before an operation that touches nothing that
// the others touch while it stands still, preempting it after that operation has the same effect. This takes for granted that
// what is shared is announced, or is guarded by what is announced. The thread sanitizer watches that.
//
// Threads: none but those of the scenario.
#ifndef LOCKFAST_TESTS_INTERLEAVING_EXPLORATION_H
#define LOCKFAST_TESTS_INTERLEAVING_EXPLORATION_H

#include <cstddef>
#include <string>

#include "tests/interleaving/scenario.h"
#include "tests/interleaving/schedule.h"

namespace lockfast::interleaving {

struct findings {
  std::size_t points = 0;  // without a preemption
  std::size_t runs = 0;
  std::size_t left_out = 0;
  // Of the first run that failed, if one did.
  bool failed = false;
  schedule by;
  std::string text;
};

enum class repeats : unsigned char { left_out, tried };

// Schedules with fewer preemptions come first.
[[nodiscard]] findings explore(const scenario& of, unsigned bound, repeats of_others);
// One run; its points are printed where a thread gives way.
[[nodiscard]] findings replay(const scenario& of, const schedule& by);

}  // namespace lockfast::interleaving

#endif
