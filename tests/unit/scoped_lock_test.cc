// scoped_lock_test.cc - a signal handler that wants a mutex which its own thread is about to take or to release.
#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "allocator/base/scoped_lock.h"
#include "support/child.h"
#include "support/patience.h"

#include <unistd.h>

using lockfast::internal::scoped_lock;
namespace platform = lockfast::platform;

namespace {

platform::mutex wanted;

// As if a handler had interrupted this thread where it takes `wanted` or releases it.
struct interruption {
  interruption() { platform::of_thread(lockfast::internal::changing_hands) = &wanted; }
  ~interruption() { platform::of_thread(lockfast::internal::changing_hands) = nullptr; }
};

}  // namespace

TEST_CASE("a handler that interrupts a wait for another thread waits for that thread, too") {
  const ending end = in_child([] {
    alarm(patience(10));
    std::atomic<bool> has_it = false;
    std::atomic<bool> leaves = false;
    std::thread other([&] {
      {
        const scoped_lock held(wanted);
        has_it = true;
        while (!leaves) std::this_thread::yield();
      }
      // No thread is alone while this one is there.
      while (leaves) std::this_thread::yield();
    });
    while (!has_it) std::this_thread::yield();
    std::thread ends_the_wait([&] {
      usleep(300000);  // longer than a mutex without a holder is waited for
      leaves = true;
    });
    {
      const interruption handler;
      const scoped_lock held(wanted);
      promised(leaves, "the other thread has released it");
    }
    leaves = false;
    other.join();
    ends_the_wait.join();
  });
  CHECK(end.text == "");
  CHECK(end.clean());
}

TEST_CASE("a handler that interrupts its thread between a mutex and its holder ends the process with a line") {
  const ending end = in_child([] {
    alarm(patience(10));
    std::atomic<bool> done = false;
    std::thread other([&] {
      while (!done) usleep(1000);
    });
    wanted.lock();
    const interruption handler;
    const scoped_lock held(wanted);
    done = true;
    other.join();
  });
  CHECK(end.signal == SIGABRT);
  CHECK(end.said("lockfast: call within a call"));
}

TEST_CASE("a handler that interrupts its thread before it has the mutex takes it, and leaves it free") {
  const ending end = in_child([] {
    alarm(patience(10));
    std::atomic<bool> done = false;
    std::thread other([&] {
      while (!done) usleep(1000);
    });
    const interruption at_the_edge;
    { const scoped_lock held(wanted); }
    promised(platform::of_thread(lockfast::internal::changing_hands) == &wanted, "the interrupted call finds what it left");
    promised(wanted.try_lock(), "the mutex is free");
    wanted.unlock();
    done = true;
    other.join();
  });
  CHECK(end.text == "");
  CHECK(end.clean());
}
