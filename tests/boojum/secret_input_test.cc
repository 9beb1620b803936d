// secret_input_test.cc - secrets from descriptors and from a terminal of the test's own.
#include <doctest/doctest.h>
#include <lockfast/error_detail.hpp>
#include <lockfast/secret_input.hpp>

#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "support/child.h"
#include "support/filled_pipe.h"
#include "support/memory_search.h"
#include "support/sanitized.h"
#include "support/traced.h"

using lockfast::buffer;
using lockfast::memory_error;
using lockfast::secret_input;

namespace {

std::string text_of(const std::expected<buffer<std::byte>, memory_error>& from) {
  if (!from) return std::string(message(from.error()));
  const auto view = from->read();
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

// What a child says of asking at a terminal at which these keys are typed; then what the terminal has shown.
struct asked {
  std::string answer;
  std::string shown;
};

asked ask_at_terminal(std::string_view keys, std::size_t max = 1024) {
  const int master = posix_openpt(O_RDWR | O_NOCTTY);
  REQUIRE(master >= 0);
  REQUIRE(grantpt(master) == 0);
  REQUIRE(unlockpt(master) == 0);
  const std::string slave = ptsname(master);
  int answers[2];
  REQUIRE(pipe(answers) == 0);
  const pid_t child = fork();
  if (child == 0) {
    setsid();
    const int terminal = open(slave.c_str(), O_RDWR);
    ioctl(terminal, TIOCSCTTY, 0);
    const std::string told = text_of(secret_input::ask("Passphrase: ", max));
    termios after;
    const bool restored = tcgetattr(terminal, &after) == 0 && (after.c_lflag & ECHO) != 0 && (after.c_lflag & ICANON) != 0;
    const std::string all = told + (restored ? "" : " and the terminal is not as it was");
    _exit(write(answers[1], all.data(), all.size()) == static_cast<ssize_t>(all.size()) ? 0 : 1);
  }
  close(answers[1]);
  asked out;
  char piece[256];
  while (out.shown.find("Passphrase: ") == std::string::npos) {
    const ssize_t got = read(master, piece, sizeof piece);
    if (got <= 0) break;
    out.shown.append(piece, static_cast<std::size_t>(got));
  }
  CHECK(write(master, keys.data(), keys.size()) == static_cast<ssize_t>(keys.size()));
  for (ssize_t got = 0; (got = read(answers[0], piece, sizeof piece)) > 0;)
    out.answer.append(piece, static_cast<std::size_t>(got));
  close(answers[0]);
  waitpid(child, nullptr, 0);
  for (ssize_t got = 0; (got = read(master, piece, sizeof piece)) > 0;) out.shown.append(piece, static_cast<std::size_t>(got));
  close(master);
  return out;
}

}  // namespace

TEST_CASE("a secret is read to the end, or to a delimiter and no byte further") {
  CHECK(text_of(secret_input::read(filled_pipe("all of it\n").end())) == "all of it\n");
  const filled_pipe lines("first\nsecond\n\nlast");
  CHECK(text_of(secret_input::read(lines.end(), {.until = '\n'})) == "first");
  CHECK(text_of(secret_input::read(lines.end(), {.until = '\n'})) == "second");
  CHECK(secret_input::read(lines.end(), {.until = '\n'}).error() == memory_error::zero_size);
  CHECK(text_of(secret_input::read(lines.end(), {.until = '\n'})) == "last");
  CHECK(secret_input::read(lines.end(), {.until = '\n'}).error() == memory_error::zero_size);
  CHECK(secret_input::read(-1).error() == memory_error::file_system);
}

TEST_CASE("a long secret grows to the limit, and is refused beyond it") {
  const std::string text(5000, 'x');
  CHECK(text_of(secret_input::read(filled_pipe(text).end())) == text);
  CHECK(text_of(secret_input::read(filled_pipe(text).end(), {.max = 5000})) == text);
  CHECK(text_of(secret_input::read(filled_pipe(text + "\n").end(), {.until = '\n', .max = 5000})) == text);
  CHECK(secret_input::read(filled_pipe(text).end(), {.max = 4999}).error() == memory_error::limit_exceeded);
  CHECK(secret_input::read(filled_pipe(text).end(), {.until = '\n', .max = 4999}).error() == memory_error::limit_exceeded);
}

TEST_CASE("what is read lies nowhere else") {
  if (!memory_can_be_searched() || counts_lines()) return;
  const traced secret(9, 600);
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  {
    const auto held = secret.buffer();
    const auto view = held.read();
    REQUIRE(write(ends[1], view.data(), view.size()) == 600);
  }
  close(ends[1]);
  {
    const auto got = secret_input::read(ends[0]);
    REQUIRE(got.has_value());
    CHECK(secret.equals(got->read().span()));
  }
  CHECK(secret.copies_in_memory() == 0);
  close(ends[0]);
}

TEST_CASE("a descriptor in non-blocking mode is waited for, and nothing that came is lost") {
  int ends[2];
  REQUIRE(pipe2(ends, O_NONBLOCK) == 0);
  const pid_t child = fork();
  if (child == 0) {
    for (const char* each : {"first ", "second ", "third"}) {
      usleep(20'000);  // so that the reader finds nothing there
      if (write(ends[1], each, std::string_view(each).size()) < 0) _exit(1);
    }
    _exit(0);
  }
  close(ends[1]);
  CHECK(text_of(secret_input::read(ends[0])) == "first second third");
  close(ends[0]);
  int status = -1;
  CHECK(waitpid(child, &status, 0) == child);
  CHECK(status == 0);
}

TEST_CASE("a terminal is asked, shows nothing, and is as it was afterwards") {
  const auto plain = ask_at_terminal("open sesame\r");
  CHECK(plain.answer == "open sesame");
  CHECK(plain.shown == "Passphrase: \r\n");
  CHECK(ask_at_terminal("wrong\025right\n").answer == "right");
  CHECK(ask_at_terminal("ab\177c\xc3\xa4\177\r").answer == "ac");
  CHECK(ask_at_terminal("half\003").answer == message(memory_error::cancelled));
  CHECK(ask_at_terminal("\004").answer == message(memory_error::cancelled));
  CHECK(ask_at_terminal("\r").answer == message(memory_error::zero_size));
}

TEST_CASE("a line of the longest length is taken, and a longer one is read to its end, unseen, and refused") {
  CHECK(ask_at_terminal("12345678\r", 8).answer == "12345678");
  CHECK(ask_at_terminal("12345678\1779\r", 8).answer == "12345679");
  const auto longer = ask_at_terminal("123456789 and more\r", 8);
  CHECK(longer.answer == message(memory_error::limit_exceeded));
  CHECK(longer.shown == "Passphrase: \r\n");
  CHECK(ask_at_terminal("123456789\025short\r", 8).answer == "short");
  CHECK(ask_at_terminal("123456789\003", 8).answer == message(memory_error::cancelled));
}

TEST_CASE("where there is no terminal to ask at, that is said") {
  const ending end = in_child([] {
    prove(setsid() >= 0, "a session without a terminal");
    const auto refused = secret_input::ask("Passphrase: ");
    promised(!refused && refused.error() == memory_error::unsupported, "no terminal");
    const auto told = lockfast::last_error();
    promised(std::string(told.text()).find("no terminal to ask at") != std::string::npos, told.text());
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a buffer is shortened, and keeps what is left") {
  auto secret = traced(4, 100).buffer();
  {
    const auto view = secret.read();
    CHECK(secret.shorten(50).error() == memory_error::busy);
  }
  REQUIRE(secret.shorten(50).has_value());
  CHECK(secret.size() == 50);
  CHECK(traced(4, 50).equals(secret.read().span()));
  REQUIRE(secret.shorten(50).has_value());
  CHECK(secret.shorten(51).error() == memory_error::limit_exceeded);
  CHECK(secret.shorten(0).error() == memory_error::zero_size);
  CHECK(secret.size() == 50);
}
