// crash_recovery_test.cc - crash=wipe beside a program that handles fatal signals itself: in whatever way it goes on, no thread ever
// reads zeros for a key, and what is made later is wiped by the next crash.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>
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

#include "behaviour/process/crashing.h"
#include "behaviour/forked.h"
#include "support/page_state.h"

namespace {

sigjmp_buf way_out;
jmp_buf plain_way_out;

void jump(int) {
  handled = handled + 1;
  siglongjmp(way_out, 1);
}
void look_and_jump(int) {
  handled = handled + 1;
  found_zeros =
      filled(alone, 32, 0) && filled(beside, 32, 0) && lockfast_protect(shut, LOCKFAST_READONLY) == 0 && filled(shut, 9000, 0);
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

TEST_CASE("a sealed secret that a crash wiped is gone, and can be freed") {
  if (skip_under_sanitizer()) return;
  check_clean(in_child([] {
    options("crash=wipe,rest=seal");
    install(SIGSEGV, jump, 0);
    for (int crash = 0; crash < 3; ++crash) {
      make_secrets();
      lockfast_receipt receipt;
      prove(lockfast_describe(shut, &receipt) == 0 && receipt.rest == LOCKFAST_SEALED, "a sealed secret");
      if (sigsetjmp(way_out, 1) == 0) fault();
      check_gone();
    }
  }));
}

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

TEST_CASE("a handler goes on reading what was wiped though another thread gets the signal that ends such a look") {
  if (skip_under_sanitizer()) return;
  check_clean(in_child([] {
    options("crash=wipe");
    static std::atomic<int> stage = 0;
    install(
        SIGSEGV,
        [](int) {
          if (stage != 0) _exit(1);  // the touch below has come here again
          stage = 1;
          while (stage != 2) usleep(1000);
          _exit(filled(alone, 32, 0) ? 0 : 2);
        },
        0);
    make_secrets();
    std::thread([] {
      while (stage != 1) usleep(1000);
      (void)pthread_kill(pthread_self(), SIGURG);
      stage = 2;
      for (;;) pause();
    }).detach();
    fault();
  }));
}

TEST_CASE("a process whose handler recovered dies of the next crash with every later secret wiped") {
  if (skip_under_sanitizer() || !asks_for_own_process("a fault after a jump out of a handler")) return;
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
    // In a slab of its own the second one, which the crash finds nothing in.
    for (const std::size_t size : {std::size_t{32}, std::size_t{400}}) {
      auto* const rests = lockfast_compartment_malloc(keys, size);
      prove(rests != nullptr, "a secret");
      lockfast_free(rests);
    }
    if (sigsetjmp(way_out, 1) == 0) fault();
    for (char* const each : held) promised(traps(each), "a touch traps");
    promised(lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "it closes");
    promised(lockfast_compartment_protect(keys, LOCKFAST_READWRITE) == 0, "it opens");
    for (char* const each : held) promised(traps(each), "a touch traps still");
    auto* const later = static_cast<char*>(lockfast_compartment_malloc(keys, 32));
    promised(later != nullptr && later[0] == 0, "a new secret");
    auto* const longer = static_cast<char*>(lockfast_compartment_malloc(keys, 400));
    promised(longer != nullptr && longer[0] == 0, "a new secret");
    lockfast_free(held[0]);
    for (int round = 0; round < 100; ++round) lockfast_free(lockfast_compartment_malloc(keys, 32));
    lockfast_compartment_destroy(keys);
    promised(statistics().live == 0, "none is live");
  }));
}
