// owners_test.cc - two that save one file: nobody's records are lost without a word, and who holds the file is alone with it.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "vault/saving.h"

namespace {

lockfast::internal::save_request replacing(vault::replaces over) { return {.key = {.cost = 10}, .over = over}; }

}  // namespace

TEST_CASE("of two that load one file and save it, the second is told that it is outdated, and nothing is lost") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state first(vault::options{});
  REQUIRE(save_vault(first, path, work, key_from(), nullptr).has_value());
  const auto second = load_vault(path, key_from(), {});
  REQUIRE(second.has_value());
  const auto mine = inserted(first, traced(1));
  const auto other = inserted(**second, traced(2));
  REQUIRE(save_vault(first, path, work, key_from(), nullptr).has_value());
  CHECK(save_vault(**second, path, work, key_from(), nullptr).error() == memory_error::outdated);
  CHECK((*second)->saves() == 1);
  CHECK(entries_of(folder.path()) == 1);
  CHECK(holds(**load_vault(path, key_from(), {}), mine, traced(1)));
  // Who says so replaces it, and knows the file from then on.
  REQUIRE(save_vault(**second, path, replacing(vault::replaces::any_file), key_from(), nullptr).has_value());
  CHECK(holds(**load_vault(path, key_from(), {}), other, traced(2)));
  REQUIRE(save_vault(**second, path, work, key_from(), nullptr).has_value());
  CHECK(save_vault(first, path, work, key_from(), nullptr).error() == memory_error::outdated);
}

TEST_CASE("a file that somebody replaces while it is being saved is not lost either") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state first(vault::options{});
  REQUIRE(save_vault(first, path, work, key_from(), nullptr).has_value());
  vault_state stranger(vault::options{});
  REQUIRE(save_vault(stranger, folder.file("strangers"), work, key_from(), nullptr).has_value());
  const vault::watcher replace = [&](const vault::progress&) {
    std::filesystem::rename(folder.file("strangers"), path);
    return true;
  };
  CHECK(save_vault(first, path, work, key_from(), replace).error() == memory_error::outdated);
  CHECK((*load_vault(path, key_from(), {}))->identity() == stranger.identity());
}

TEST_CASE("what is no vault of this one's is not replaced, an empty file is") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  std::ofstream(path) << "a letter";
  CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::outdated);
  CHECK(contents_of(path).size() == 8);
  { const std::ofstream emptied(path, std::ios::trunc); }
  CHECK(save_vault(records, path, work, key_from(), nullptr).has_value());
}

TEST_CASE("a copy at another path is saved beside the first, again and again") {
  const own_folder folder;
  vault_state records(vault::options{});
  for (int round = 0; round < 3; ++round) {
    CHECK(save_vault(records, folder.file("records"), work, key_from(), nullptr).has_value());
    CHECK(save_vault(records, folder.file("records"), work, key_from(), nullptr).has_value());
    CHECK(save_vault(records, folder.file("copy"), work, key_from(), nullptr).has_value());
  }
}

TEST_CASE("who holds a file from load to save is alone with it, and others are told that it is busy") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::string typed = "four words of mine";
  const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
  REQUIRE(phrase.has_value());
  vault records;
  REQUIRE(records.save(path, *phrase, {.cost = 10}).has_value());
  {
    const auto held = vault::file_hold::acquire(path);
    REQUIRE(held.has_value());
    CHECK(vault::file_hold::acquire(path).error() == memory_error::busy);
    CHECK(records.save(path, *phrase).error() == memory_error::busy);
    auto loaded = vault::load(path, *phrase);
    REQUIRE(loaded.has_value());
    REQUIRE(loaded->insert(traced(1).buffer()).has_value());
    CHECK(loaded->save(path, *phrase, {.hold = &*held}).has_value());
    REQUIRE(loaded->insert(traced(2).buffer()).has_value());
    CHECK(loaded->save(path, *phrase, {.hold = &*held}).has_value());
    // A hold of one path is none of another.
    CHECK(loaded->save(folder.file("other"), *phrase, {.hold = &*held}).has_value());
  }
  {
    // One that another is moved into gives its own path up.
    auto first = vault::file_hold::acquire(path);
    auto second = vault::file_hold::acquire(folder.file("third"));
    REQUIRE(first.has_value());
    REQUIRE(second.has_value());
    *first = std::move(*second);
    CHECK(vault::file_hold::acquire(path).has_value());
    CHECK(vault::file_hold::acquire(folder.file("third")).error() == memory_error::busy);
  }
  CHECK(records.save(path, *phrase).error() == memory_error::outdated);
  CHECK(vault::load(path, *phrase)->size() == 2);
  CHECK(entries_of(folder.path()) == 2);
}

TEST_CASE("a file is held while it is saved, and free afterwards") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  (void)inserted(records, traced(1));
  int looks = 0;
  const auto watch = [&](const vault::progress&) {
    ++looks;
    CHECK(vault::file_hold::acquire(path).error() == memory_error::busy);
    return true;
  };
  REQUIRE(save_vault(records, path, work, key_from(), watch).has_value());
  CHECK(looks > 0);
  CHECK(vault::file_hold::acquire(path).has_value());
}

TEST_CASE("a cost is kept over load and save, and told by the file") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::string typed = "four words of mine";
  const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
  REQUIRE(phrase.has_value());
  {
    vault records;
    REQUIRE(records.save(path, *phrase, {.cost = 12}).has_value());
  }
  auto loaded = vault::load(path, *phrase);
  REQUIRE(loaded.has_value());
  REQUIRE(loaded->save(path, *phrase).has_value());
  const auto told = vault::inspect(path);
  REQUIRE(told.has_value());
  CHECK(told->cost == 12);
  CHECK(told->format == 2);
  CHECK(told->saves == 2);
  REQUIRE(loaded->save(path, *phrase, {.cost = 11}).has_value());
  CHECK(vault::inspect(path)->cost == 11);
  vault fresh;
  REQUIRE(fresh.save(folder.file("fresh"), *phrase).has_value());
  CHECK(vault::inspect(folder.file("fresh"))->cost == 17);
  CHECK(vault::inspect(folder.file("none")).error() == memory_error::not_found);
}

TEST_CASE("a save under Argon2id loads again, and keeps it; an older libcrypto says that it has none") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::string typed = "four words of mine";
  const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
  REQUIRE(phrase.has_value());
  vault records;
  const auto id = records.insert(traced(1).buffer());
  const auto saved = records.save(path, *phrase, {.cost = 10, .function = vault::kdf::argon2id});
  if (!saved) {
    CHECK(saved.error() == memory_error::unsupported);
    CHECK(entries_of(folder.path()) == 0);
    MESSAGE("skipped: this libcrypto has no Argon2id");
    return;
  }
  auto loaded = vault::load(path, *phrase);
  REQUIRE(loaded.has_value());
  CHECK(loaded->use(*id, [](auto bytes) { return traced(1).equals(bytes); }) == true);
  REQUIRE(loaded->save(path, *phrase).has_value());
  CHECK(vault::inspect(path)->function == vault::kdf::argon2id);
}

TEST_CASE("records are inserted while the key of a save is derived") {
  const own_folder folder;
  vault_state records(vault::options{});
  (void)inserted(records, traced(1));
  const lockfast::internal::file_key_maker slow = [&](const lockfast::internal::vault_file_header& header) {
    const auto begun = std::chrono::steady_clock::now();
    std::jthread([&] { (void)inserted(records, traced(2)); }).join();
    CHECK(std::chrono::steady_clock::now() - begun < std::chrono::seconds(5));
    return key_from()(header);
  };
  REQUIRE(save_vault(records, folder.file("records"), work, slow, nullptr).has_value());
  CHECK((*load_vault(folder.file("records"), key_from(), {}))->size() == 2);
}

TEST_CASE("a vault that was cleared saves nothing of what it was, and gives no id out twice") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  constexpr std::size_t count = 20000;
  std::vector<vault::id> ids(count);
  const std::byte one{1};
  const std::vector<std::span<const std::byte>> secrets(count, {&one, 1});
  REQUIRE(records.insert(secrets, ids).has_value());
  const std::uint64_t full = records.footprint();
  REQUIRE(records.clear().has_value());
  CHECK(records.footprint() < full / 10);
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(std::filesystem::file_size(path) < 1000);
  const auto loaded = load_vault(path, key_from(), {});
  REQUIRE(loaded.has_value());
  for (vault_state* const each : {&records, loaded->get()}) {
    std::vector<vault::id> next(count);
    REQUIRE(each->insert(secrets, next).has_value());
    std::vector<vault::id> all = ids;
    all.insert(all.end(), next.begin(), next.end());
    std::ranges::sort(all);
    CHECK(std::ranges::adjacent_find(all) == all.end());
  }
  // The same where records are erased one by one.
  for (vault::id each = records.next({}); each != vault::id(); each = records.next({})) REQUIRE(records.erase(each).has_value());
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(std::filesystem::file_size(path) < 1000);
}
