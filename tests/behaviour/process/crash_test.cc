// crash_test.cc - crash=wipe: a fatal signal finds every secret wiped, and then takes the course that it would have taken.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#include "support/child.h"
#include "support/page_state.h"
#include "support/sanitized.h"

namespace {

char* secret = nullptr;
char* closed = nullptr;

// What the client's own handler, installed before, finds when the signal comes to it.
void report(int) {
  const bool wiped = secret[0] == 0 && secret[31] == 0 && lockfast_protect(closed, LOCKFAST_READONLY) == 0 && closed[0] == 0 &&
                     closed[9999] == 0;
  say(wiped ? "wiped" : "not wiped");
  _exit(wiped ? 42 : 43);
}

void prepare(const char* options, bool with_handler, int number) {
  prove(set_variable("LOCKFAST_OPTIONS", options), "the variable");
  if (with_handler) prove(std::signal(number, report) != SIG_ERR, "a handler");
  secret = static_cast<char*>(lockfast_malloc_isolated(32));
  closed = static_cast<char*>(lockfast_malloc_isolated(10000));
  prove(secret != nullptr && closed != nullptr, "secrets");
  std::memset(secret, 'x', 32);
  std::memset(closed, 'x', 10000);
  prove(lockfast_protect(closed, LOCKFAST_NOACCESS) == 0, "no access");
}

void crash(int number) {
  if (number == SIGSEGV) *const_cast<volatile char*>(secret + 32) = 1;
  cause(number);
}

}  // namespace

TEST_CASE("under crash=wipe the client's own handler finds every secret wiped, whatever its access") {
  if (under_tsan) {
    MESSAGE("skipped: ThreadSanitizer blocks every signal while a handler runs");
    return;
  }
  for (const int number : fatal_signals()) {
    CAPTURE(number);
    const ending end = in_child([&] {
      prepare("crash=wipe", true, number);
      crash(number);
    });
    CAPTURE(end.text);
    CHECK(end.status == 42);
    CHECK(end.text == "wiped");
  }
}

TEST_CASE("without crash=wipe it finds them as they were") {
  const ending end = in_child([] {
    prepare("crash=none", true, SIGSEGV);
    crash(SIGSEGV);
  });
  CHECK(end.status == 43);
}

TEST_CASE("under crash=wipe the process dies of the same signal") {
  for (const int number : fatal_signals()) {
    CAPTURE(number);
    const ending end = in_child([&] {
      prepare("crash=wipe", false, number);
      crash(number);
    });
    CAPTURE(end.text);
    CAPTURE(end.status);
    // QEMU 7.2 for s390x at a second fault.
    if (is_emulated() && end.said("rcu_read_unlock: Assertion")) continue;
    CHECK(end.signal == number);
  }
}
