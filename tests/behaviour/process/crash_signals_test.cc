// crash_signals_test.cc - crash=wipe: which signals wipe, that a process which does not recover ends by its signal, and that its secrets
// are wiped by then.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#if defined(__linux__)
#include <sys/ptrace.h>
#include <sys/uio.h>
#endif
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>

#include "behaviour/process/crashing.h"
#include "support/page_state.h"

TEST_CASE("a signal that the program ignores, and that somebody sends, wipes nothing") {
  check_clean(in_child([] {
    options("crash=wipe");
    for (const int number : {SIGFPE, SIGILL, SIGBUS}) install(number, SIG_IGN, 0);
    make_secrets();
    for (const int number : {SIGFPE, SIGILL, SIGBUS}) (void)raise(number);
    promised(alone[0] == 'x' && beside[0] == 'x', "secrets as they were");
  }));
}

TEST_CASE("SIGTRAP and SIGSYS end the process by themselves, and belong to a program that handles them") {
  if (skip_under_sanitizer()) return;
  for (const int number : {SIGTRAP, SIGSYS}) {
    const ending end = in_child([&] {
      options("crash=wipe");
      make_secrets();
      struct sigaction now;
      prove(sigaction(number, nullptr, &now) == 0, "the action");
      promised(now.sa_handler != SIG_DFL, "a handler of ours");
      (void)raise(number);
    });
    CAPTURE(end.text);
    CHECK(end.signal == number);
    check_clean(in_child([&] {
      options("crash=wipe");
      install(number, [](int) { handled = handled + 1; }, 0);
      make_secrets();
      (void)raise(number);
      promised(handled == 1 && filled(alone, 32, 'x') && filled(beside, 32, 'x'), "secrets as they were");
    }));
  }
}

TEST_CASE("abort wipes and ends the process where the program ignores SIGABRT or its handler returns") {
  if (skip_under_sanitizer()) return;
  for (void (*const handler)(int) : {SIG_IGN, static_cast<void (*)(int)>([](int) { found_zeros = filled(alone, 32, 0); })}) {
    const ending end = in_child([&] {
      options("crash=wipe");
      install(SIGABRT, handler, 0);
      make_secrets();
      std::abort();
    });
    CHECK(end.signal == SIGABRT);
  }
}

TEST_CASE("a handler that faults itself, or puts the default back and sends the signal again, ends the process by it") {
  if (skip_under_sanitizer() || !asks_for_own_process("a fault in a handler")) return;
  const auto faults = [](int) { fault(); };
  const auto sends = [](int number) {
    (void)std::signal(number, SIG_DFL);
    (void)raise(number);
  };
  const auto returns = [](int) {};
  const auto returns_once = [](int number) { (void)std::signal(number, SIG_DFL); };
  for (void (*const handler)(int) : {+faults, +sends, +returns_once}) {
    const ending end = in_child([&] {
      options("crash=wipe");
      install(SIGSEGV, handler, 0);
      make_secrets();
      fault();
    });
    CHECK(end.signal == SIGSEGV);
  }
  // One that mends nothing is called again and again, as it would be without us: reset, it is called once.
  const ending end = in_child([&] {
    options("crash=wipe");
    install(SIGSEGV, returns, static_cast<int>(SA_RESETHAND));
    make_secrets();
    fault();
  });
  CHECK(end.signal == SIGSEGV);
}

TEST_CASE("in a child that shares its parent's memory a crash wipes nothing of the parent's") {
  if (skip_under_sanitizer()) return;
  check_clean(in_child([] {
    options("crash=wipe");
    make_secrets();
    const pid_t child = vfork();
    if (child == 0) {
      (void)kill(getpid(), SIGSEGV);
      _exit(0);
    }
    int state = 0;
    prove(waitpid(child, &state, 0) == child, "its end");
    promised(WIFSIGNALED(state) && WTERMSIG(state) == SIGSEGV, "the child dies");
    promised(alone[0] == 'x' && beside[0] == 'x', "secrets as they were");
  }));
}

#if defined(__linux__)
TEST_CASE("under crash=wipe a second thread's crash waits until the first has wiped all") {
  if (skip_under_sanitizer() || !asks_for_own_process("a process that is traced")) return;
  check_clean(in_child([] {
    constexpr std::size_t size = std::size_t{1} << 20;
    char* at[64];
    int ends[2];
    prove(pipe(ends) == 0, "a pipe");
    const pid_t victim = fork();
    if (victim == 0) {
      options("crash=wipe,lock=preferred,hidden=off");
      for (char*& each : at) {
        each = static_cast<char*>(lockfast_malloc_isolated(size));
        prove(each != nullptr, "a secret");
        std::memset(each, 'x', size);
      }
      prove(write(ends[1], at, sizeof at) == static_cast<ssize_t>(sizeof at), "a report");
      prove(ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) == 0 && raise(SIGSTOP) == 0, "a tracer");
      static std::atomic<int> ready = 0;
      for (int count = 0; count < 4; ++count) {
        std::thread([count] {
          for (++ready; ready != 4;) std::this_thread::yield();
          usleep(static_cast<useconds_t>(2000 * count));
          fault();
        }).detach();
      }
      for (;;) pause();
    }
    int state = 0;
    prove(waitpid(victim, &state, 0) == victim && WIFSTOPPED(state), "a stop");
    prove(read(ends[0], at, sizeof at) == static_cast<ssize_t>(sizeof at), "its report");
    prove(ptrace(PTRACE_SETOPTIONS, victim, nullptr, PTRACE_O_TRACEEXIT) == 0, "to see its end");
    prove(ptrace(PTRACE_CONT, victim, nullptr, nullptr) == 0 && waitpid(victim, &state, 0) == victim, "its end");
    prove(state >> 8 == (SIGTRAP | PTRACE_EVENT_EXIT << 8), "the moment of its end");
    static char seen[size];
    for (char* const each : at) {
      iovec to = {seen, size};
      iovec from = {each, size};
      prove(process_vm_readv(victim, &to, 1, &from, 1, 0) == static_cast<ssize_t>(size), "a look");
      promised(filled(seen, size, 0), "zeros");
    }
    prove(ptrace(PTRACE_CONT, victim, nullptr, nullptr) == 0 && waitpid(victim, &state, 0) == victim, "its end");
    promised(WIFSIGNALED(state) && WTERMSIG(state) == SIGSEGV, "it dies of the signal");
  }));
}
#endif

TEST_CASE("a crash of a forked child wipes the child's secrets, and none of its parent's") {
  if (skip_under_sanitizer()) return;
  for (const std::string policy : {"fork=inherit", "fork=wipe", "fork=absent"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options("crash=wipe," + policy);
      install(SIGSEGV, [](int) { _exit(filled(beside, 32, 0) ? 0 : 1); }, 0);
      make_secrets();
      const pid_t child = fork();
      if (child == 0) {
        beside = secret_of(32);
        fault();
      }
      int state = 0;
      prove(waitpid(child, &state, 0) == child, "its end");
      promised(WIFEXITED(state) && WEXITSTATUS(state) == 0, "the handler found zeros");
      promised(alone[0] == 'x' && beside[0] == 'x', "the parent's as they were");
    }));
  }
}
