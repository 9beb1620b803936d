// transfer_test.cc - vaults under raw keys, in memory, and in parts: saves, exports, merges.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>

#include <map>
#include <string>
#include <vector>

#include "support/memory_search.h"
#include "vault/saving.h"

using lockfast::buffer;
using lockfast::passphrase;

namespace {

passphrase phrase() {
  std::string typed = "four words of mine";
  return *passphrase::take(std::span<char>(typed));
}

std::string name(std::uint64_t number) { return "name " + std::to_string(number); }

bool holds(const vault& records, std::string_view named, std::uint64_t seed) {
  const auto id = records.find(named);
  const auto view = id ? records.open(*id) : std::unexpected(id.error());
  return view && traced(seed).equals(view->span());
}

std::string label_of(const vault& records, std::string_view named) {
  const auto label = records.label_of(*records.find(named));
  if (!label) return "";
  const auto view = label->read();
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

vault filled(std::uint64_t from, std::uint64_t to, std::uint64_t seed = 0) {
  vault made;
  for (std::uint64_t number = from; number < to; ++number) {
    const auto id = made.insert(name(number), traced(number + seed).buffer());
    REQUIRE(id.has_value());
    REQUIRE(made.relabel(*id, std::to_string(seed)).has_value());
  }
  return made;
}

}  // namespace

TEST_CASE("a vault is saved and loaded under a raw key, and under no other") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault records = filled(0, 20);
  const auto key = *buffer<std::byte>::random(32);
  REQUIRE(records.save(path, key).has_value());
  REQUIRE(records.save(path, key).has_value());
  const auto loaded = vault::load(path, key);
  REQUIRE(loaded.has_value());
  for (std::uint64_t number = 0; number < 20; ++number) CHECK(holds(*loaded, name(number), number));
  CHECK(vault::inspect(path)->function == vault::kdf::raw_key);
  CHECK(vault::inspect(path)->cost == 0);
  CHECK(vault::load(path, *buffer<std::byte>::random(32)).error() == memory_error::wrong_passphrase);
  CHECK(vault::load(path, *buffer<std::byte>::random(33)).error() == memory_error::wrong_passphrase);
  CHECK(vault::load(path, phrase()).error() == memory_error::wrong_passphrase);
  CHECK(records.save(path, *buffer<std::byte>::random(15)).error() == memory_error::limit_exceeded);
  CHECK(records.save(path, *buffer<std::byte>::random(16)).has_value());
  CHECK(records.save(path, key, {.cost = 10}).error() == memory_error::unsupported);
  CHECK(records.save(path, phrase(), {.function = vault::kdf::raw_key}).error() == memory_error::unsupported);
  // A passphrase after a key takes the cost of no file.
  REQUIRE(records.save(path, phrase(), {.cost = 10}).has_value());
  CHECK(vault::load(path, key).error() == memory_error::wrong_passphrase);
  CHECK(vault::load(path, phrase()).has_value());
}

TEST_CASE("a vault is saved to memory and loaded from it, as a file would be") {
  const own_folder folder;
  vault records = filled(0, 2000);
  const auto key = *buffer<std::byte>::random(32);
  const auto saved = records.save_to_memory(key);
  REQUIRE(saved.has_value());
  CHECK(records.saves() == 1);
  const auto loaded = vault::load_from_memory(*saved, key);
  REQUIRE(loaded.has_value());
  CHECK(loaded->size() == 2000);
  for (std::uint64_t number = 0; number < 2000; number += 97) CHECK(holds(*loaded, name(number), number));
  // What is in memory is what is in a file.
  std::ofstream(folder.file("records"), std::ios::binary)
      .write(reinterpret_cast<const char*>(saved->data()), static_cast<std::streamsize>(saved->size()));
  CHECK(vault::load(folder.file("records"), key)->size() == 2000);
  const auto in_words = records.save_to_memory(phrase(), {.cost = 10});
  REQUIRE(in_words.has_value());
  CHECK(vault::load_from_memory(*in_words, phrase())->size() == 2000);
  CHECK(vault::load_from_memory(*in_words, phrase(), {.min_saves = 3}).error() == memory_error::outdated);

  CHECK(vault::load_from_memory({}, key).error() == memory_error::damaged);
  for (const std::size_t size : {std::size_t{1}, std::size_t{143}, std::size_t{160}, saved->size() - 1}) {
    CHECK(vault::load_from_memory(std::span(*saved).first(size), key).error() == memory_error::damaged);
  }
  auto changed = *saved;
  changed.back() ^= std::byte{1};
  CHECK(vault::load_from_memory(changed, key).error() == memory_error::damaged);
}

TEST_CASE("no record lies plain in what is saved to memory, nor the key") {
  if (!memory_can_be_searched()) return;
  vault_state records(vault::options{.hot_records = 0});
  (void)inserted(records, traced(1));
  const traced raw(2);
  const lockfast::internal::file_key_maker make = key_from();
  const auto saved = save_vault(records, work.key, make, nullptr);
  REQUIRE(saved.has_value());
  CHECK(load_vault(std::span<const std::byte>(*saved), make, {}).has_value());
  CHECK(traced(1).copies_in_memory() == 0);
  vault other;
  REQUIRE(other.save_to_memory(raw.buffer()).has_value());
  CHECK(raw.copies_in_memory() == 0);
}

TEST_CASE("chosen records are exported with their names and labels, and no others") {
  vault records = filled(0, 10);
  const auto unnamed = *records.insert(traced(99).buffer());
  const std::vector<vault::id> chosen = {*records.find(name(3)), unnamed, *records.find(name(7))};
  std::vector<vault::id> made(3);
  const auto part = records.extract(chosen, made);
  REQUIRE(part.has_value());
  CHECK(part->size() == 3);
  CHECK(part->identity() != records.identity());
  CHECK(part->find(name(3)) == made[0]);
  CHECK(traced(99).equals(part->open(made[1])->span()));
  CHECK(holds(*part, name(7), 7));
  CHECK(label_of(*part, name(7)) == "0");
  CHECK(part->find(name(4)).error() == memory_error::not_found);
  CHECK(records.size() == 11);
  REQUIRE(records.erase(unnamed).has_value());
  CHECK(records.extract(chosen).error() == memory_error::not_found);
}

TEST_CASE("a merge keeps, replaces or refuses records of the same name, and adds all others") {
  using policy = vault::same_name;
  const vault theirs = [] {
    vault made = filled(5, 15, 1000);
    REQUIRE(made.insert(traced(77).buffer()).has_value());
    return made;
  }();
  {
    vault mine = filled(0, 10);
    CHECK(mine.merge(theirs).error() == memory_error::name_taken);
    CHECK(mine.size() == 10);
    CHECK(mine.find(name(12)).error() == memory_error::not_found);
  }
  {
    vault mine = filled(0, 10);
    const auto told = mine.merge(theirs, policy::keep);
    REQUIRE(told.has_value());
    CHECK(told->added == 6);
    CHECK(told->kept == 5);
    CHECK(told->replaced == 0);
    CHECK(mine.size() == 16);
    CHECK(holds(mine, name(7), 7));
    CHECK(label_of(mine, name(7)) == "0");
    CHECK(holds(mine, name(12), 1012));
  }
  {
    vault mine = filled(0, 10);
    const auto before = mine.find(name(7));
    const auto told = mine.merge(theirs, policy::replace);
    REQUIRE(told.has_value());
    CHECK(told->added == 6);
    CHECK(told->replaced == 5);
    CHECK(mine.size() == 16);
    CHECK(mine.find(name(7)) == before);
    CHECK(holds(mine, name(7), 1007));
    CHECK(label_of(mine, name(7)) == "1000");
    CHECK(holds(mine, name(3), 3));
  }
  CHECK(theirs.size() == 11);
}

TEST_CASE("a merge with itself doubles what has no name, once") {
  vault records;
  for (std::uint64_t seed = 0; seed < 20; ++seed) REQUIRE(records.insert(traced(seed).buffer()).has_value());
  const auto told = records.merge(records, vault::same_name::keep);
  REQUIRE(told.has_value());
  CHECK(told->added == 20);
  CHECK(records.size() == 40);
}
