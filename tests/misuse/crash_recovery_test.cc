// crash_recovery_test.cc - crash=wipe beside a program that handles fatal signals itself: in whatever way it goes on, no thread ever
// reads zeros for a key, and what is made later is wiped by the next crash.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>
#if defined(__linux__)
#include <sys/ptrace.h>
#include <sys/uio.h>
#endif
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include <atomic>
#include <csetjmp>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "misuse/forked.h"
#include "misuse/grouped.h"
#include "support/sanitized.h"

namespace {

sigjmp_buf way_out;
jmp_buf plain_way_out;
volatile std::sig_atomic_t handled = 0;
volatile std::sig_atomic_t found_zeros = 0;
char* alone = nullptr;
char* beside = nullptr;
char* shut = nullptr;

void make_secrets() {
  alone = static_cast<char*>(lockfast_malloc_isolated(32));
  shut = static_cast<char*>(lockfast_malloc_isolated(9000));
  prove(alone != nullptr && shut != nullptr, "secrets");
  std::memset(alone, 'x', 32);
  std::memset(shut, 'x', 9000);
  prove(lockfast_protect(shut, LOCKFAST_NOACCESS) == 0, "no access");
  beside = secret_of(32);
}

void jump(int) {
  handled = handled + 1;
  siglongjmp(way_out, 1);
}
void look_and_jump(int) {
  handled = handled + 1;
  found_zeros = filled(alone, 32, 0) && filled(beside, 32, 0) && lockfast_protect(shut, LOCKFAST_READONLY) == 0 &&
                filled(shut, 9000, 0);
  siglongjmp(way_out, 1);
}
void jump_plainly(int) {
  handled = handled + 1;
  longjmp(plain_way_out, 1);
}
// As in the days of System V: the handler puts itself in place again.
void jump_and_stay(int number) {
  handled = handled + 1;
  (void)std::signal(number, jump_and_stay);
  siglongjmp(way_out, 1);
}
void jump_and_give_up(int number) {
  handled = handled + 1;
  (void)std::signal(number, SIG_DFL);
  siglongjmp(way_out, 1);
}

void install(int number, void (*handler)(int), int flags) {
  struct sigaction action = {};
  action.sa_handler = handler;
  action.sa_flags = flags;
  prove(sigaction(number, &action, nullptr) == 0, "a handler");
}

char* volatile nowhere = nullptr;
[[gnu::noinline]] void fault() { *const_cast<volatile char*>(nowhere) = 1; }

// Whether a touch raises a signal that the program's own handler sees.
bool traps(const char* byte) {
  const auto before = handled;
  if (sigsetjmp(way_out, 1) == 0) {
    (void)*const_cast<const volatile char*>(byte);
    return false;
  }
  return handled == before + 1;
}

[[gnu::noinline]] bool deep_traps(const char* byte) {
  volatile char room[20000];
  for (volatile char& each : room) each = 1;
  return traps(byte);
}

// What is to hold once the program goes on: whatever there was is out of reach, and can be freed; what is made is new.
void check_gone(std::size_t others = 0) {
  for (char* const each : {alone, beside, shut}) {
    promised(traps(each), "a touch traps");
    promised(deep_traps(each + 31), "a touch from deep in the stack traps");
    lockfast_receipt receipt;
    promised(lockfast_describe(each, &receipt) == -1, "no receipt");
  }
  promised(lockfast_protect(alone, LOCKFAST_READWRITE) == -1 && lockfast_protect(shut, LOCKFAST_READONLY) == -1, "no access");
  promised(lockfast_realloc(alone, 64) == nullptr && lockfast_realloc(beside, 64) == nullptr, "no realloc");
  promised(traps(alone) && traps(shut), "a touch traps still");
  promised(lockfast_audit() == 0, "no damage");
  for (char* const each : {alone, beside, shut}) lockfast_free(each);
  promised(statistics().live == others, "none is live");
  for (int round = 0; round < 300; ++round) {
    char* const fresh = secret_of(32);
    auto* const single = static_cast<char*>(lockfast_malloc_isolated(32));
    prove(single != nullptr, "a new secret");
    promised(fresh[0] == 'x' && single[0] == 0, "new secrets are open");
    lockfast_free(single);
    lockfast_free(fresh);
  }
  (void)lockfast_trim();
}

bool skip_under_sanitizer() {
  if (sanitized) MESSAGE("skipped: a sanitizer takes these signals, and a jump out of them, for its own");
  return sanitized;
}

}  // namespace

TEST_CASE("a program that leaves a fatal signal by a jump never reads zeros, and each later crash wipes again") {
  if (skip_under_sanitizer()) return;
  struct way {
    const char* name;
    void (*handler)(int);
    int flags;
    bool once() const { return (static_cast<unsigned>(flags) & static_cast<unsigned>(SA_RESETHAND)) != 0; }
  };
  const way ways[] = {{"siglongjmp", jump, 0},
                      {"siglongjmp, not deferred", jump, SA_NODEFER},
                      {"siglongjmp from an alternate stack", jump, SA_ONSTACK},
                      {"siglongjmp after a look", look_and_jump, 0},
                      {"the handler puts itself back", jump_and_stay, 0},
                      {"the handler puts itself back, reset", jump_and_stay, static_cast<int>(SA_RESETHAND)}};
  for (const way& each : ways) {
    for (const char* const policy : {"crash=wipe,hidden=auto", "crash=wipe,hidden=off", "crash=wipe,freed=recycle"}) {
      CAPTURE(each.name);
      CAPTURE(policy);
      check_clean(in_child([&] {
        options(policy);
        stack_t stack = {};
        stack.ss_size = 65536;
        stack.ss_sp = std::malloc(stack.ss_size);
        prove(sigaltstack(&stack, nullptr) == 0, "an alternate stack");
        install(SIGSEGV, each.handler, each.flags);
        for (int crash = 0; crash < 3; ++crash) {
          make_secrets();
          found_zeros = 0;
          const auto before = handled;
          if (sigsetjmp(way_out, 1) == 0) fault();
          promised(handled == before + 1, "the handler was called, once");
          if (each.handler == look_and_jump) {
            promised(found_zeros != 0, "the handler found zeros");
            install(SIGSEGV, jump, 0);  // from here on the test's own
          }
          if (!each.once()) check_gone();
          if (each.handler == look_and_jump || each.once()) return;
        }
      }));
    }
  }
}

namespace {

volatile bool deeper = true;

// With a frame that the compiler keeps.
[[gnu::noinline]] int overflow_stack(volatile char* outer) {
  if (!deeper) return 0;
  volatile char frame[4096];
  frame[0] = outer == nullptr ? '\0' : *outer;
  const int depth = overflow_stack(frame);
  return depth + frame[0] + 1;
}

}  // namespace

TEST_CASE("a stack that overflows is wiped for, on the program's stack for signals") {
  if (skip_under_sanitizer()) return;
  check_clean(in_child([] {
    options("crash=wipe");
    static char other[1 << 16];
    stack_t stack = {};
    stack.ss_sp = other;
    stack.ss_size = sizeof other;
    prove(sigaltstack(&stack, nullptr) == 0, "a stack for signals");
    struct sigaction action = {};
    action.sa_flags = SA_ONSTACK;
    // Reached only through the library's handler, which was installed after it.
    action.sa_handler = [](int) { _exit(0); };
    prove(sigaction(SIGSEGV, &action, nullptr) == 0 && sigaction(SIGBUS, &action, nullptr) == 0, "a handler");
    prove(lockfast_malloc(32) != nullptr, "a secret");
    struct sigaction now = {};
    prove(sigaction(SIGSEGV, nullptr, &now) == 0 && now.sa_handler != action.sa_handler, "the library's handler");
    promised(overflow_stack(nullptr) == 0, "a handler that ran");
  }));
}

TEST_CASE("a handler that returns with another place to go on at, as a runtime's does, leaves no readable zeros") {
  if (skip_under_sanitizer()) return;
#if defined(__x86_64__) && defined(__linux__)
  check_clean(in_child([] {
    options("crash=wipe");
    struct sigaction action = {};
    action.sa_flags = SA_SIGINFO;
    action.sa_sigaction = [](int, siginfo_t*, void* context) {
      handled = handled + 1;
      found_zeros = filled(alone, 32, 0);
      static_cast<ucontext_t*>(context)->uc_mcontext.gregs[REG_RIP] += 2;  // the length of the instruction
    };
    prove(sigaction(SIGSEGV, &action, nullptr) == 0, "a handler");
    for (int crash = 0; crash < 3; ++crash) {
      make_secrets();
      found_zeros = 0;
      __asm__ volatile("movb %%al, (%%rbx)" : : "a"(0), "b"(16) : "memory");
      promised(handled == 2 * crash + 1 && found_zeros != 0, "the handler found zeros");
      unsigned value = 7;
      __asm__ volatile("movb (%%rbx), %%al" : "+a"(value) : "b"(alone) : "memory");
      // The touch traps: the handler is called once more, and shown zeros, but the program reads nothing.
      promised(handled == 2 * crash + 2 && (value & 0xff) == 7, "a touch traps");
      lockfast_free(alone);
      lockfast_free(beside);
      lockfast_free(shut);
    }
  }));
#endif
}

TEST_CASE("a handler that leaves by longjmp, which lets nobody know, leaves nothing that reads as zeros") {
  if (skip_under_sanitizer()) return;
  for (const int flags : {0, static_cast<int>(SA_NODEFER), static_cast<int>(SA_ONSTACK | SA_NODEFER)}) {
    const ending end = in_child([&] {
      options("crash=wipe");
      stack_t stack = {};
      stack.ss_size = 65536;
      stack.ss_sp = std::malloc(stack.ss_size);
      prove(sigaltstack(&stack, nullptr) == 0, "an alternate stack");
      install(SIGSEGV, jump_plainly, flags);
      make_secrets();
      if (setjmp(plain_way_out) == 0) fault();
      prove(handled == 1, "the handler");
      install(SIGSEGV, SIG_DFL, 0);
      (void)*const_cast<volatile char*>(alone);
      (void)*const_cast<volatile char*>(beside);
      leave_with(9);
    });
    CAPTURE(end.text);
    CHECK(end.signal == SIGSEGV);
  }
}

TEST_CASE("other threads are trapped at what a crash wiped while the program's handler still runs") {
  if (skip_under_sanitizer()) return;
  check_clean(in_child([] {
    options("crash=wipe");
    static std::atomic<int> stage = 0;
    static pthread_t crashing = pthread_self();
    install(
        SIGSEGV,
        [](int) {
          if (pthread_equal(pthread_self(), crashing) == 0) siglongjmp(way_out, 1);
          stage = 1;
          while (stage != 2) usleep(1000);
          siglongjmp(*reinterpret_cast<sigjmp_buf*>(&plain_way_out), 1);
        },
        0);
    make_secrets();
    std::thread other([] {
      while (stage != 1) usleep(1000);
      for (char* const each : {alone, beside}) {
        volatile bool read = false;
        if (sigsetjmp(way_out, 1) == 0) {
          (void)*const_cast<volatile char*>(each);
          read = true;
        }
        promised(!read, "a touch traps");
      }
      stage = 2;
    });
    if (sigsetjmp(*reinterpret_cast<sigjmp_buf*>(&plain_way_out), 1) == 0) fault();
    other.join();
  }));
}

TEST_CASE("a process whose handler recovered dies of the next crash with every later secret wiped") {
  if (skip_under_sanitizer()) return;
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  // The first handler gives the signal up and goes on; the next crash has none.
  const ending end = in_child([&] {
    options("crash=wipe");
    install(SIGSEGV, jump_and_give_up, 0);
    make_secrets();
    if (sigsetjmp(way_out, 1) == 0) fault();
    auto* const later = static_cast<char*>(lockfast_malloc_isolated(32));
    prove(later != nullptr, "a later secret");
    std::memset(later, 'y', 32);
    struct sigaction now;
    prove(sigaction(SIGSEGV, nullptr, &now) == 0, "the action");
    promised((now.sa_flags & SA_SIGINFO) != 0, "the handler is there again");
    fault();
  });
  CAPTURE(end.text);
  CHECK(end.signal == SIGSEGV);
}

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
  if (skip_under_sanitizer()) return;
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

TEST_CASE("a forked child of a process that survived a crash frees what is absent, and has secrets of its own") {
  if (skip_under_sanitizer()) return;
  for (const std::string policy : {"fork=inherit", "fork=wipe", "fork=absent"}) {
    for (const std::string hidden : {",hidden=auto", ",hidden=off"}) {
      CAPTURE(policy + hidden);
      check_clean(in_child([&] {
        options("crash=wipe," + policy + hidden);
        install(SIGSEGV, jump, 0);
        make_secrets();
        if (sigsetjmp(way_out, 1) == 0) fault();
        char* const later = secret_of(32);
        forked([] { check_gone(1); });
        promised(later[0] == 'x', "the parent's later secret");
        lockfast_free(later);
        check_gone();
      }));
    }
  }
}

TEST_CASE("a compartment whose secrets a crash wiped traps, serves new secrets, and can be destroyed") {
  if (skip_under_sanitizer()) return;
  check_clean(in_child([] {
    options("crash=wipe");
    install(SIGSEGV, jump, 0);
    auto* const keys = lockfast_compartment_create();
    prove(keys != nullptr, "a compartment");
    std::vector<char*> held;
    for (const std::size_t size : {std::size_t{32}, std::size_t{5000}, std::size_t{100000}}) {
      held.push_back(static_cast<char*>(lockfast_compartment_malloc(keys, size)));
      prove(held.back() != nullptr, "a secret");
    }
    auto* const rests = lockfast_compartment_malloc(keys, 32);
    prove(rests != nullptr, "a secret");
    lockfast_free(rests);
    if (sigsetjmp(way_out, 1) == 0) fault();
    for (char* const each : held) promised(traps(each), "a touch traps");
    promised(lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "it closes");
    promised(lockfast_compartment_protect(keys, LOCKFAST_READWRITE) == 0, "it opens");
    for (char* const each : held) promised(traps(each), "a touch traps still");
    auto* const later = static_cast<char*>(lockfast_compartment_malloc(keys, 32));
    promised(later != nullptr && later[0] == 0, "a new secret");
    lockfast_free(held[0]);
    for (int round = 0; round < 100; ++round) lockfast_free(lockfast_compartment_malloc(keys, 32));
    lockfast_compartment_destroy(keys);
    promised(statistics().live == 0, "none is live");
  }));
}

#if defined(__linux__)
TEST_CASE("under crash=wipe a second thread's crash waits until the first has wiped all") {
  if (skip_under_sanitizer()) return;
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
