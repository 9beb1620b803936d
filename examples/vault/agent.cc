// agent.cc - a signing agent: a key that a passphrase locks and unlocks, and that locks by itself.
//
// Asks on the standard output, with a line that ends in "?", and reads its answers from the standard input straight into locked
// memory. agent SECONDS COST locks that long after it was unlocked.
#include <lockfast/lockfast.hpp>

#include <cstdio>
#include <cstdlib>
#include <string_view>

using namespace lockfast;

namespace {

std::expected<buffer<std::byte>, memory_error> ask(const char* question) {
  std::printf("%s?\n", question);
  std::fflush(stdout);
  return secret_input::read(0, {.until = '\n'});
}

bool is(const buffer<std::byte>& typed, std::string_view word) {
  const auto view = typed.read();
  return std::string_view(reinterpret_cast<const char*>(view.data()), view.size()) == word;
}

void tell(const std::expected<void, memory_error>& done, const char* what) {
  std::printf("%s\n", done ? what : message(done.error()).data());
}

std::expected<void, memory_error> sign(const vault& keys) {
  const auto key = keys.find("signing key");
  if (!key) return std::unexpected(key.error());
  const auto signature = procedures(keys).sign(*key, std::as_bytes(std::span("a message", 9)));
  if (!signature) return std::unexpected(signature.error());
  for (const std::byte each : *signature) std::printf("%02x", std::to_integer<unsigned>(each));
  std::printf(" ");
  return {};
}

std::expected<passphrase, memory_error> ask_passphrase() {
  auto typed = ask("passphrase");
  if (!typed) return std::unexpected(typed.error());
  return passphrase::take(std::move(*typed), {});
}

}  // namespace

int main(int argc, char** argv) {
  vault::lock_options chosen = {.lifetime = std::chrono::hours(8), .on_lock = [] { std::puts("it locks"); }};
  if (argc > 1) chosen.lifetime = std::chrono::seconds(std::atoi(argv[1]));
  if (argc > 2) chosen.cost = static_cast<unsigned>(std::atoi(argv[2]));
  vault keys;
  const auto phrase = ask_passphrase();
  if (!phrase || !keys.lock_with(*phrase, chosen)) return 1;
  auto key = ask("key of 32 bytes");
  if (!key || !keys.insert("signing key", std::move(*key))) return 1;
  for (;;) {
    const auto command = ask("sign, lock, unlock or quit");
    if (!command || is(*command, "quit")) return 0;
    if (is(*command, "sign")) tell(sign(keys), "signed");
    if (is(*command, "lock")) tell(keys.lock(), "locked");
    if (!is(*command, "unlock")) continue;
    const auto again = ask_passphrase();
    tell(again ? keys.unlock(*again) : std::unexpected(again.error()), "unlocked");
  }
}
