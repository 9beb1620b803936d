// passphrase.cc - an agent's passphrase: typed once, held in shares, forgotten after two seconds without use.
#include <unistd.h>
#include <lockfast/lockfast.hpp>

#include <cstdio>

using namespace lockfast;

static std::expected<buffer<std::byte>, memory_error> ask(const char* question) {
  std::printf("%s?\n", question);
  std::fflush(stdout);
  if (isatty(0) == 1) return secret_input::ask("> ");  // what is typed is not shown
  return secret_input::read(0, {.until = '\n'});       // into locked memory, and no byte past the line
}

int main() {
  auto typed = ask("passphrase");
  if (!typed) return 1;
  auto phrase = passphrase::take(std::move(*typed), {.idle_expiry = std::chrono::seconds(2)});
  if (!phrase) return std::puts(message(phrase.error()).data());

  while (ask("go on")) {
    const auto length = phrase->use([](std::span<const std::byte> bytes) {
      return bytes.size();  // it is whole in here alone: unlock a key with it
    });
    if (length) std::printf("used, %zu bytes\n", *length);
    if (!length) std::printf("not used: %s\n", message(length.error()).data());  // it expired: ask, and phrase->set(typed)
  }
}
