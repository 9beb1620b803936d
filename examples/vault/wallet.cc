// wallet.cc - ten thousand keys under names, in memory and in a file: wallet FILE
//
// Asks on the standard output, with a line that ends in "?", and reads its answers from the standard input straight into locked memory.
#include <lockfast/lockfast.hpp>

#include <array>
#include <cstdio>
#include <string>

using namespace lockfast;

namespace {

std::expected<buffer<std::byte>, memory_error> ask(const char* question) {
  std::printf("%s?\n", question);
  std::fflush(stdout);
  return secret_input::read(0, {.until = '\n'});
}

// The public key of a name: what everybody may know of it.
std::expected<std::array<std::byte, 32>, memory_error> address_of(const vault& keys, std::string_view name) {
  const auto key = keys.find(name);
  if (!key) return std::unexpected(key.error());
  return procedures(keys).public_key(*key);
}

int refused(memory_error why) {
  std::printf("%s\n", message(why).data());
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto typed = ask("passphrase");
  if (!typed) return refused(typed.error());
  const auto phrase = passphrase::take(std::move(*typed), {});
  if (!phrase) return refused(phrase.error());

  vault keys;
  auto master = ask("key of 32 bytes");
  if (!master) return refused(master.error());
  const auto root = keys.insert("root", std::move(*master));
  if (!root) return refused(root.error());
  for (int account = 1; account < 10'000; ++account) {
    const std::string name = "account " + std::to_string(account);
    const auto key = keys.derive(*root, {.info = std::as_bytes(std::span(name))}, 32);
    if (!key) return refused(key.error());
    if (auto named = keys.rename(*key, name); !named) return refused(named.error());
  }
  (void)ask("search, then save");

  if (auto saved = keys.save(argv[1], *phrase, {.over = vault::replaces::any_file}); !saved) return refused(saved.error());
  const auto again = vault::load(argv[1], *phrase);
  if (!again) return refused(again.error());
  const auto before = address_of(keys, "account 4711");
  const auto after = address_of(*again, "account 4711");
  if (!before || before != after) return 1;
  std::printf("%zu keys, and account 4711 is the same\n", again->size());
  (void)ask("search, then end");
  return 0;
}
