#include "tools/vault/pinentry.h"

#include <lockfast/secret_input.hpp>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <clocale>
#include <cstdlib>
#include <cstring>

#include "tools/command.h"
#include "tools/vault/explain.h"
#include "tools/vault/prompt.h"

namespace lockfast::tools {
namespace {

constexpr int patience_ms = 5000;
constexpr std::size_t max_line = 4096;  // bytes; the protocol has 1000
constexpr int max_lines = 1000;         // of an answer
// Codes of libgpg-error, without the part that names the source.
constexpr unsigned code_mask = 0xffff;
constexpr unsigned cancelled = 99, fully_cancelled = 198;

std::string escaped(const std::string& text) {
  constexpr char digits[] = "0123456789ABCDEF";
  std::string line;
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (byte >= 0x20 && each != '%') {
      line += each;
    } else {
      line.append({'%', digits[byte >> 4], digits[byte & 15]});
    }
  }
  return line;
}

int digit(std::byte of) {
  const auto byte = std::to_integer<char>(of);
  if (byte >= '0' && byte <= '9') return byte - '0';
  const char letter = static_cast<char>(byte | 0x20);
  return letter >= 'a' && letter <= 'f' ? letter - 'a' + 10 : -1;
}

// Decodes %XX from one span to another of the same size at least; returns how many bytes that gave.
std::size_t decode(std::span<const std::byte> from, std::span<std::byte> to) {
  std::size_t size = 0;
  for (std::size_t at = 0; at < from.size(); ++at) {
    to[size] = from[at];
    if (from[at] == std::byte{'%'} && at + 2 < from.size() && digit(from[at + 1]) >= 0 && digit(from[at + 2]) >= 0) {
      to[size] = static_cast<std::byte>(digit(from[at + 1]) * 16 + digit(from[at + 2]));
      at += 2;
    }
    ++size;
  }
  return size;
}

// What was there, and a decoded line after it.
buffer<std::byte> joined(const std::optional<buffer<std::byte>>& before, std::span<const std::byte> line) {
  const std::size_t begin = before ? before->size() : 0;
  std::size_t added = 0;
  auto whole = buffer<std::byte>::filled(begin + line.size(), [&](std::span<std::byte> out) {
    if (before) std::ranges::copy(before->read(), out.begin());
    added = decode(line, out.subspan(begin));
  });
  if (!whole) refuse(whole.error(), "the passphrase");
  need(whole->shorten(begin + added), "the passphrase");
  return std::move(*whole);
}

std::string text_of(std::span<const std::byte> line) { return {reinterpret_cast<const char*>(line.data()), line.size()}; }

bool begins(std::span<const std::byte> line, const char* word) {
  const std::size_t size = std::strlen(word);
  return line.size() >= size && std::memcmp(line.data(), word, size) == 0;
}

std::string variable(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? std::string() : value;
}

std::string terminal_name() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    char name[256];
    if (ttyname_r(descriptor, name, sizeof name) == 0) return name;
  }
  const std::string named = variable("GPG_TTY");
  return named.empty() ? "/dev/tty" : named;
}

}  // namespace

pinentry::pinentry(const std::string& program, const std::string& instead)
    : program_(program), instead_(instead), beside_(program), terminal_(beside_.process()) {
  if (const int error = beside_.start_error(); error != 0) {
    throw refusal("pinentry " + shown(program_) + " cannot be started (" + std::strerror(error) +
                  "); name one that is installed, pinentry-tty say");
  }
  // What waits for us in turn speaks another protocol.
  if (!beside_.answers_within(patience_ms)) fail("it does not greet");
  if (!hear().is_ok) fail("it does not greet as the protocol wants");
  option("ttyname", terminal_name());
  option("ttytype", variable("TERM"));
  const char* const kind = std::setlocale(LC_CTYPE, "");
  option("lc-ctype", kind == nullptr ? "" : kind);
  option("display", variable("DISPLAY"));
}

pinentry::~pinentry() {
  // What was ended may have had the terminal.
  if (!beside_.end()) terminal_.put_back();
}

buffer<std::byte> pinentry::ask(const dialog& shown) {
  describe(shown);
  return typed(typed_answer());
}

buffer<std::byte> pinentry::ask_twice(const dialog& shown) {
  describe(shown);
  const bool repeats = command("SETREPEAT Again:").is_ok;
  answer first = typed_answer();
  const bool was_repeated = repeats && first.was_repeated;
  auto secret = typed(std::move(first));
  if (was_repeated) return secret;
  describe({.description = "Again: " + shown.description, .error = ""});
  if (typed(typed_answer()) != secret)
    throw refusal("the two passphrases differ; nothing was changed, type the same one twice");
  return secret;
}

void pinentry::describe(const dialog& shown) {
  command("SETTITLE lockfast");
  command("SETDESC " + escaped(shown.description));
  command("SETPROMPT Passphrase:");
  if (!shown.error.empty()) command("SETERROR " + escaped(shown.error));
}

// A pinentry that does not know an option goes on without it.
void pinentry::option(const std::string& name, const std::string& value) {
  if (!value.empty()) command("OPTION " + name + "=" + escaped(value));
}

buffer<std::byte> pinentry::typed(answer&& given) const {
  const unsigned code = given.error & code_mask;
  if (code == cancelled || code == fully_cancelled) throw refusal("cancelled; nothing was changed");
  if (!given.is_ok) fail(shown(given.text));
  if (!given.data) throw refusal("the passphrase is empty; type at least one character");
  return std::move(*given.data);
}

pinentry::answer pinentry::command(const std::string& line) {
  if (!beside_.say(line + "\n")) fail("it ended too early");
  if (!beside_.answers_within(patience_ms)) fail("it does not answer");
  return hear();
}

// Somebody types as long as that takes.
pinentry::answer pinentry::typed_answer() {
  if (!beside_.say("GETPIN\n")) fail("it ended too early");
  return hear();
}

pinentry::answer pinentry::hear() {
  answer given;
  for (int lines = 0; lines < max_lines; ++lines) {
    const auto line = secret_input::read(beside_.output(), {.until = '\n', .max = max_line});
    if (!line && line.error() == memory_error::limit_exceeded)
      fail("a line has more than " + std::to_string(max_line) + " bytes");
    if (!line) fail("it ended without an answer");
    const auto view = line->read();
    const std::span<const std::byte> bytes = view.span();
    if (begins(bytes, "D ") && bytes.size() > 2) {
      if ((given.data ? given.data->size() : 0) + bytes.size() - 2 > max_typed)
        fail("more than " + std::to_string(max_typed) + " bytes were typed");
      given.data = joined(given.data, bytes.subspan(2));
    } else if (begins(bytes, "S PIN_REPEATED")) {
      given.was_repeated = true;
    } else if (begins(bytes, "OK")) {
      given.is_ok = true;
      return given;
    } else if (begins(bytes, "ERR ")) {
      const std::string text = text_of(bytes.subspan(4));
      const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), given.error);
      given.text = fault == std::errc() ? text.substr(static_cast<std::size_t>(end - text.data())) : text;
      given.text.erase(0, given.text.find_first_not_of(' '));
      return given;
    } else if (begins(bytes, "INQUIRE")) {
      (void)beside_.say("CAN\n");
    }
  }
  fail("it says much, and no answer");
}

void pinentry::fail(const std::string& what) const {
  throw refusal("pinentry " + shown(program_) + " did not ask: " + what + "; name another by --pinentry, or give " + instead_ +
                " N");
}

}  // namespace lockfast::tools
