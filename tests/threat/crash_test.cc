// crash_test.cc - what is left in memory when a process ends: seen by a debugger, at the last moment before it is gone.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "traced_child.h"

using lockfast::attacks::can_make_calls;
using lockfast::attacks::open_in;

namespace {

// What a debugger saw at one moment.
struct sight {
  int signal = 0;         // about to be delivered; 0 at exit
  bool ordinary = false;  // the control: ordinary memory is as it was
  bool all_open = false;  // every open secret is as it was
  bool none = false;      // every secret, closed ones too, is zeros
};

struct end_of_life {
  std::vector<sight> sights;
  int signal = -1;  // that ended it; 0: it left
};

// Of a stopped process: the first bytes of one kind of secret, opened first when the debugger must.
std::array<unsigned char, mark_size> bytes_in(pid_t process, const holding& held, unsigned kind, tap out) {
  std::array<unsigned char, mark_size> seen;
  seen.fill(0xff);
  if (write_out(process, held.at[kind], seen.data(), seen.size(), out) != mark_size) seen.fill(0xff);
  return seen;
}

sight look(pid_t process, const holding& held, tap out, bool open_closed) {
  sight seen;
  seen.ordinary = held.of(ordinary).stands_at(bytes_in(process, held, ordinary, out).data());
  seen.all_open = std::all_of(open_secrets.begin(), open_secrets.end(), [&](unsigned kind) {
    return held.of(kind).stands_at(bytes_in(process, held, kind, out).data());
  });
  if (!open_closed) return seen;
  // A signal handler has no rights to any protection key: to it an open compartment is closed as well.
  for (const unsigned kind : {isolated_closed, compartment_closed, compartment}) (void)open_in(process, held.at[kind]);
  seen.none = std::all_of(live_secrets.begin(), live_secrets.end(), [&](unsigned kind) {
    const auto bytes = bytes_in(process, held, kind, out);
    return std::all_of(bytes.begin(), bytes.end(), [](unsigned char byte) { return byte == 0; });
  });
  return seen;
}

// Runs a process that holds secrets under a policy and then ends in some way.
end_of_life watch(const backing& given, const char* policy, const std::function<void(const holding&)>& finish) {
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const tap out{ends[1], ends[0]};
  holding held(0);
  end_of_life life;
  const auto ready = [&] { return held.series != 0; };
  happenings on;
  // The victim says that it is ready by SIGUSR1, which it ignores, after it has written where its secrets are.
  on.before_signal = [&](pid_t process, int number) {
    if (number == SIGUSR1) {
      alignas(holding) std::array<unsigned char, sizeof(holding)> sent;
      REQUIRE(read(ends[0], sent.data(), sent.size()) == static_cast<ssize_t>(sent.size()));
      held = *reinterpret_cast<const holding*>(sent.data());
    } else if (ready()) {
      life.sights.push_back(look(process, held, out, !life.sights.empty()));
      life.sights.back().signal = number;
    }
  };
  on.instead_of_exit = [&](pid_t process) {
    if (ready()) life.sights.push_back(look(process, held, out, true));
  };
  const unsigned series = next_series();
  life.signal = trace_child(
      [&] {
        given.take_on(policy);
        const holding mine(series);
        std::signal(SIGUSR1, SIG_IGN);
        prove(write(ends[1], &mine, sizeof mine) == static_cast<ssize_t>(sizeof mine), "a report");
        (void)std::raise(SIGUSR1);
        finish(mine);
      },
      on);
  close(ends[0]);
  close(ends[1]);
  return life;
}

void cause(int number, const holding& held) {
  if (number == SIGSEGV) const_cast<volatile unsigned char*>(held.at[isolated])[lockfast_size(held.at[isolated])] = 1;
  if (number == SIGABRT) std::abort();
  (void)std::raise(number);
}

bool can_watch() {
  if (!can_make_calls()) MESSAGE("skipped: the debugger is written for x86-64");
  return can_make_calls();
}

template <class Check>
void each_backing(Check check) {
  for (const backing& each : backings()) {
    CAPTURE(each.name);
    check(each);
  }
}

}  // namespace

TEST_CASE("under crash=wipe a fatal signal finds every secret, and the process dies of that signal without one") {
  if (!can_watch()) return;
  each_backing([](const backing& given) {
    for (const int number : fatal_signals()) {
      CAPTURE(number);
      const auto life = watch(given, ",crash=wipe", [&](const holding& held) { cause(number, held); });
      CHECK(life.signal == number);
      REQUIRE(life.sights.size() >= 2);
      CHECK(life.sights.front().signal == number);
      CHECK(life.sights.front().ordinary);
      CHECK(life.sights.front().all_open);
      CHECK(life.sights.back().signal == number);
      CHECK(life.sights.back().ordinary);
      CHECK(life.sights.back().none);
    }
  });
}

TEST_CASE("without crash=wipe the process dies with its secrets in memory") {
  if (!can_watch()) return;
  each_backing([](const backing& given) {
    for (const int number : fatal_signals()) {
      CAPTURE(number);
      const auto life = watch(given, ",crash=none", [&](const holding& held) { cause(number, held); });
      CHECK(life.signal == number);
      REQUIRE(life.sights.size() >= 1);
      CHECK(life.sights.back().all_open);
    }
  });
}

TEST_CASE("under crash=wipe a breach, which ends by a signal, leaves no secret") {
  if (!can_watch()) return;
  each_backing([](const backing& given) {
    const auto life = watch(given, ",crash=wipe", [](const holding& held) {
      held.at[grouped][-1] ^= 1;
      lockfast_free(held.at[grouped]);
    });
    CHECK(life.signal == SIGABRT);
    REQUIRE(life.sights.size() >= 2);
    CHECK(life.sights.front().all_open);
    CHECK(life.sights.back().none);
  });
}

TEST_CASE("under crash=wipe a normal exit leaves no secret, while ordinary memory is as it was") {
  if (!can_watch()) return;
  if (sanitized()) {
    MESSAGE("skipped: a sanitizer's own search at exit cannot run under a debugger");
    return;
  }
  each_backing([](const backing& given) {
    const auto life = watch(given, ",crash=wipe", [](const holding&) { std::exit(0); });
    CHECK(life.signal == 0);
    REQUIRE(life.sights.size() == 1);
    CHECK(life.sights.back().ordinary);
    CHECK(life.sights.back().none);
  });
}

TEST_CASE("not held: _exit, and signals such as SIGTERM that no handler of ours sees, leave what there is to the kernel") {
  if (!can_watch()) return;
  each_backing([](const backing& given) {
    const auto left = watch(given, ",crash=wipe", [](const holding&) { _exit(0); });
    REQUIRE(left.sights.size() == 1);
    CHECK(left.sights.back().all_open);
    const auto ended = watch(given, ",crash=wipe", [](const holding&) { (void)std::raise(SIGTERM); });
    CHECK(ended.signal == SIGTERM);
    REQUIRE(ended.sights.size() == 1);
    CHECK(ended.sights.back().all_open);
  });
}

TEST_CASE("under crash=wipe the process dies of its signal in whatever call its other threads are") {
  if (sanitized()) {
    MESSAGE("skipped: to wipe what other threads are using is a race to the thread sanitizer, and is meant to be one");
    return;
  }
  each_backing([](const backing& given) {
    for (int round = 0; round < 20; ++round) {
      const auto numbers = fatal_signals();
      const int number = numbers[static_cast<std::size_t>(round) % numbers.size()];
      const ending end = in_child([&] {
        given.take_on(",crash=wipe");
        const holding held(1);
        std::vector<std::thread> busy;
        std::atomic<int> running = 0;
        for (int count = 0; count < 3; ++count) {
          busy.emplace_back([&, count] {
            for (++running;;) {
              void* const alone = lockfast_malloc_isolated(100);
              void* const beside = lockfast_malloc(100);
              (void)lockfast_protect(alone, LOCKFAST_NOACCESS);
              lockfast_free(beside);
              lockfast_free(alone);
              if (count == 0) (void)lockfast_trim();
              if (count == 1) (void)lockfast_compartment_protect(held.opened, LOCKFAST_NOACCESS);
              if (count == 1) (void)lockfast_compartment_protect(held.opened, LOCKFAST_READWRITE);
            }
          });
        }
        while (running < 3) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::milliseconds(round));
        cause(number, held);
      });
      CAPTURE(end.text);
      CHECK(end.signal == number);
    }
  });
}
