// One attempt of `lockfast heist`: what its child does decides, and nothing else does.
#include "tools/heist/stage.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <stdexcept>
#include <string>

#include <doctest/doctest.h>

using namespace lockfast::tools;

namespace {

outcome ended_by(int number) {
  return attempt([&](stage& on) {
    on.held_by_death("trapped");
    std::signal(number, SIG_DFL);
    raise(number);
  });
}

}  // namespace

TEST_CASE("the child's word is the outcome") {
  const outcome fell = attempt([](stage& on) { on.fell("read"); });
  CHECK(fell.is == result::fell);
  CHECK(fell.how == "read");
  CHECK(attempt([](stage& on) { on.held("refused"); }).is == result::held);
  CHECK(attempt([](stage& on) { on.not_tried("no tool"); }).is == result::not_tried);
}

TEST_CASE("a trap counts as held once the attack has begun") {
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL}) CHECK(ended_by(number).is == result::held);
  CHECK(attempt([](stage&) { raise(SIGSEGV); }).is == result::not_tried);
}

TEST_CASE("a signal from elsewhere, an exit and an end without a word prove nothing") {
  for (const int number : {SIGKILL, SIGTERM, SIGXCPU, SIGUSR1}) {
    const outcome ended = ended_by(number);
    CHECK(ended.is == result::not_tried);
    CHECK(ended.how == "it was ended by signal " + std::to_string(number));
  }
  for (const int status : {0, 1, 134}) {
    CHECK(attempt([&](stage& on) {
            on.held_by_death("trapped");
            _exit(status);
          }).is == result::not_tried);
  }
  CHECK(attempt([](stage& on) { on.held_by_death("trapped"); }).is == result::not_tried);
  CHECK(attempt([](stage&) { throw std::runtime_error("no memory"); }).how == "no memory");
}

TEST_CASE("a stopped child is not waited for") {
  CHECK(attempt([](stage& on) {
          on.held_by_death("trapped");
          raise(SIGSTOP);
        }).is == result::not_tried);
}

TEST_CASE("the first line that the child wrote is kept") {
  const outcome ended = attempt([](stage& on) {
    on.held_by_death("trapped");
    [[maybe_unused]] const auto written = write(STDERR_FILENO, "caught: a canary\nmore\n", 22);
    std::abort();
  });
  CHECK(ended.is == result::held);
  CHECK(ended.said == "caught: a canary");
}
