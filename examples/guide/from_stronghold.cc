// from_stronghold.cc - what a program of Stronghold does, in C++: from_stronghold PATH.
#include <lockfast/lockfast.hpp>

#include <cstdio>
#include <string>

using namespace lockfast;

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  auto secret = buffer<std::byte>::random(100);  // NonContiguousMemory has 32 bytes; here any number
  auto split = non_contiguous_memory::create(std::move(*secret), {.shares = {share_place::ram, share_place::file}});  // RamAndFile
  if (!split || !split->refresh()) return 1;
  auto next = std::move(*split).update(*buffer<std::byte>::random(100));  // refused: the old secret stays
  if (!next || !next->unlock()) return 1;                                // a new buffer

  std::string typed = "correct horse battery staple";
  const auto provider = passphrase::take(std::span<char>(typed));  // KeyProvider; typed is wiped
  vault client;
  const auto id = client.insert("wallet/seed", *buffer<std::byte>::random(64));  // a location
  if (!provider || !id || !client.relabel(*id, "made today")) return 1;          // Store: facts beside a record
  const auto child = client.derive(*id, {}, 32);                                 // a procedure: nobody sees the bytes
  if (!child || !client.save(argv[1], *provider, {.cost = 12, .over = vault::replaces::any_file})) return 1;  // a snapshot
  const auto loaded = vault::load(argv[1], *provider);
  if (!loaded || !loaded->find("wallet/seed")) return 1;
  std::printf("%zu records\n", loaded->size());
}
