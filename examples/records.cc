// records - keeps ten thousand tokens sealed, opens one, saves them all under a passphrase and loads them again.
#include <lockfast/lockfast.hpp>

#include <cstdio>
#include <string>

using namespace lockfast;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  std::string typed = "four words of mine";
  const auto phrase = passphrase::take(std::span<char>(typed));  // typed is wiped
  if (!phrase) return 1;

  vault records;
  vault::id last;
  for (int each = 0; each < 10'000; ++each) {
    const auto id = records.insert(*buffer<std::byte>::random(32));  // sealed: 63 bytes over its own 32 at most
    if (!id) return 1;
    last = *id;
  }
  if (const auto token = records.open(last)) {  // between guard pages, read-only
    std::printf("%zu records, %zu KiB; one has %zu bytes\n", records.size(),
                static_cast<std::size_t>(records.footprint() / 1024), token->size());
  }  // wiped, or at rest without access among the last sixteen
  if (!records.rekey()) return 1;
  if (!records.save(argv[1], *phrase, {.over = vault::replaces::any_file})) return 1;
  const auto again = vault::load(argv[1], *phrase, {.min_saves = records.saves()});
  return again && again->contains(last) ? 0 : 1;
}
