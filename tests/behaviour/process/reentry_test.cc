// reentry_test.cc - a signal handler that calls the allocator while it has interrupted a call of its thread: a line, and no hang.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstring>
#include <string>
#include <thread>

#include "behaviour/grouped.h"
#include "support/patience.h"
#include "support/sanitized.h"

namespace {

constexpr const char* line = "lockfast: call within a call: a signal handler interrupted the allocator and called it\n";

void* shared = nullptr;
lockfast_compartment* keys = nullptr;

void protect_again(int) { (void)lockfast_protect(shared, LOCKFAST_READWRITE); }
void describe_again(int) {
  lockfast_receipt receipt;
  (void)lockfast_describe(shared, &receipt);
}
void allocate_again(int) { lockfast_free(lockfast_malloc_isolated(300000)); }
void trim_again(int) { (void)lockfast_trim(); }
void seal_again(int) {
  (void)lockfast_protect(shared, LOCKFAST_NOACCESS);
  (void)lockfast_protect(shared, LOCKFAST_READWRITE);
}
void fork_again(int) {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  while (child > 0 && waitpid(child, nullptr, 0) != child) {
  }
}
void open_again(int) { (void)lockfast_compartment_protect(keys, LOCKFAST_READWRITE); }

// Has a timer interrupt the calls of `busy` until one of them is met in its middle.
ending interrupted(void (*handler)(int), void (*busy)(), bool threads, const char* policy = "lock=preferred") {
  return in_child([&] {
    options(policy);
    shared = lockfast_malloc_isolated(100000);
    keys = lockfast_compartment_create();
    prove(shared != nullptr && keys != nullptr, "secrets");
    if (threads) {
      std::atomic<bool> started = false;
      std::thread([&] {
        started = true;
        for (;;) pause();
      }).detach();
      while (!started) std::this_thread::yield();
    }
    prove(std::signal(SIGPROF, handler) != SIG_ERR, "a handler");
    const itimerval often = {{0, 300}, {0, 300}};
    prove(setitimer(ITIMER_PROF, &often, nullptr) == 0, "a timer");
    alarm(patience(10));
    for (;;) busy();
  });
}

void change_access() {
  (void)lockfast_protect(shared, LOCKFAST_NOACCESS);
  (void)lockfast_protect(shared, LOCKFAST_READWRITE);
}
void check() { (void)lockfast_check(shared); }
// A large secret has a region to itself: reserving and releasing it take most of the time, under a mutex.
void allocate() {
  lockfast_free(lockfast_malloc_isolated(300000));
  (void)lockfast_trim();
}
void change_compartment() {
  (void)lockfast_compartment_protect(keys, LOCKFAST_NOACCESS);
  (void)lockfast_compartment_protect(keys, LOCKFAST_READWRITE);
}

// The handler of a signal that comes while the kernel copies the process runs inside fork(), before the parent handlers.
void fork_once() {
  const pid_t child = fork();
  if (child == 0) _exit(0);
  prove(child > 0, "a child");
  while (waitpid(child, nullptr, 0) != child) {
  }
}

}  // namespace

TEST_CASE("a handler that calls the allocator in the middle of a call of its thread ends the process with a line") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer delays signals until no call is interrupted");
    return;
  }
  struct meeting {
    void (*handler)(int);
    void (*busy)();
  };
  const meeting meetings[] = {{protect_again, change_access}, {protect_again, check}, {describe_again, check},
                              {allocate_again, allocate},     {trim_again, allocate}, {open_again, change_compartment}};
  for (const meeting& each : meetings) {
    for (const bool threads : {false, true}) {
      CAPTURE(&each - meetings);
      CAPTURE(threads);
      const ending end = interrupted(each.handler, each.busy, threads);
      CHECK(end.signal == SIGABRT);
      CHECK(end.text == line);
    }
  }
}

TEST_CASE("a handler that calls the allocator in the middle of a fork by its thread ends the process with a line, where threads are") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer delays signals until no call is interrupted");
    return;
  }
  for (void (*const handler)(int) : {allocate_again, trim_again}) {
    CAPTURE(handler == trim_again);
    const ending end = interrupted(handler, fork_once, true);
    CHECK(end.signal == SIGABRT);
    CHECK(end.text == line);
  }
  // Sealing stands still during a fork.
  const ending end = interrupted(seal_again, fork_once, true, "lock=preferred,rest=seal");
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == line);
}

TEST_CASE("a handler that forks in the middle of a call of its thread ends the process with a line, where threads are") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer delays signals until no call is interrupted");
    return;
  }
  const ending end = interrupted(fork_again, allocate, true);
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == line);
}
