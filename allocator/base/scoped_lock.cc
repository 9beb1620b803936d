// scoped_lock.cc - what the threads are busy with.
#include "allocator/base/scoped_lock.h"

#include "allocator/base/backoff.h"
#include "allocator/base/breach.h"

namespace lockfast::internal {

LOCKFAST_OF_THREAD const void* busy_with = nullptr;
LOCKFAST_OF_THREAD const void* busy_besides = nullptr;
LOCKFAST_OF_THREAD const platform::mutex* changing_hands = nullptr;

void end_reentered() { end_process(breach::reentered, breach_signal::abort); }

// The interrupted call has the mutex, or is about to take it, or waits for another thread that has it. The other thread becomes its
// holder at once; the interrupted call never does.
void lock_interrupted(platform::mutex& wanted) {
  constexpr int max_turns = 2000;  // some tenths of a second
  int without_holder = 0;
  for (backoff turns; !wanted.try_lock(); turns.wait()) {
    without_holder = wanted.held_by(nullptr) ? without_holder + 1 : 0;
    if (without_holder == max_turns) end_reentered();
  }
}

}  // namespace lockfast::internal
