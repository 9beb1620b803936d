// fork_gate_test.cc - a fork waits for who seals or opens, and they for the fork.
#include "allocator/pages/fork_gate.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>

using lockfast::internal::fork_gate;

TEST_CASE("the gate is shut once nobody is inside, and nobody enters before it is open again") {
  fork_gate::enter();
  std::atomic<bool> is_shut = false;
  std::thread forking([&] {
    fork_gate::shut();
    is_shut = true;
  });
  // From here on it waits for this thread.
  while (fork_gate::try_enter()) fork_gate::leave();
  std::this_thread::sleep_for(std::chrono::milliseconds(5));
  CHECK_FALSE(is_shut);
  CHECK_FALSE(fork_gate::is_empty());
  fork_gate::leave();
  forking.join();
  CHECK(fork_gate::is_empty());
  CHECK_FALSE(fork_gate::try_enter());
  fork_gate::reopen();
  CHECK(fork_gate::try_enter());
  fork_gate::leave();
}
