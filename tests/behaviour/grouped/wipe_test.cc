// wipe_test.cc - wipe_all, and crash=wipe: every grouped secret is zero, and its canaries are whole.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <thread>
#include <vector>

#include "behaviour/grouped.h"
#include "support/sanitized.h"

namespace {

char* crashing = nullptr;

// What the client's own handler, installed before, finds when the signal comes to it.
void report(int) { _exit(filled(crashing, 32, 0) ? 42 : 43); }

void prepare(const char* policy, int number) {
  options(policy);
  prove(std::signal(number, report) != SIG_ERR, "a handler");
  crashing = secret_of(32);
}

// ThreadSanitizer calls every handler with all signals blocked, so that the handler cannot be shown what was wiped.
bool handlers_are_blocked() {
  if (under_tsan) MESSAGE("skipped: ThreadSanitizer blocks every signal while a handler runs");
  return under_tsan;
}

}  // namespace

TEST_CASE("wipe_all wipes every grouped secret, whichever thread's, and leaves it allocated, with whole canaries") {
  check_clean(in_child([] {
    std::vector<std::pair<char*, std::size_t>> all;
    const auto fill = [&] {
      for (std::size_t size = 0; size <= max_grouped; size = size * 2 + 1) {
        for (int count = 0; count < 20; ++count) all.emplace_back(secret_of(size), size);
      }
    };
    fill();
    std::thread(fill).join();
    char* const freed = secret_of(32);
    lockfast_free(freed);
    lockfast_wipe_all();
    for (const auto& [secret, size] : all) {
      promised(filled(secret, size, 0), "zeros");
      promised(lockfast_check(secret) == 0 && lockfast_size(secret) == size, "a secret still");
    }
    promised(lockfast_audit() == 0, "whole canaries");
    for (const auto& [secret, size] : all) {
      std::memset(secret, 'y', size);
      lockfast_free(secret);
    }
    for (int count = 0; count < 5000; ++count) lockfast_free(secret_of(32));
    promised(statistics().live == 0, "none is live");
  }));
}

TEST_CASE("under crash=wipe the client's own handler finds every grouped secret wiped") {
  if (handlers_are_blocked()) return;
  for (const int number : fatal_signals()) {
    CAPTURE(number);
    const ending end = in_child([&] {
      prepare("crash=wipe", number);
      cause(number);
    });
    CAPTURE(end.text);
    CHECK(end.status == 42);
  }
  const ending end = in_child([] {
    prepare("crash=none", SIGSEGV);
    cause(SIGSEGV);
  });
  CHECK(end.status == 43);
}

TEST_CASE("a breach under crash=wipe wipes every grouped secret before the process ends") {
  if (handlers_are_blocked()) return;
  const ending end = in_child([] {
    prepare("crash=wipe", SIGABRT);
    char* const other = secret_of(32);
    other[-1] ^= 1;
    lockfast_free(other);
  });
  CAPTURE(end.text);
  CHECK(end.said(broken));
  CHECK(end.status == 42);
}
