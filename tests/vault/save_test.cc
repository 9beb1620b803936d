// save_test.cc - a saved vault comes back whole, replaces what was there at once, and leaves nothing beside it.
#include <doctest/doctest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "support/heap_use.h"
#include "support/sanitized.h"
#include "vault/saving.h"

TEST_CASE("a loaded vault has the ids and records of the saved one, whatever their size and place") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  std::map<vault::id, traced> model;
  std::set<vault::id> ever;
  std::mt19937 random(4);
  const auto insert = [&](std::size_t size) {
    const traced secret(ever.size(), size);
    const auto id = inserted(records, secret);
    REQUIRE(ever.insert(id).second);
    model.emplace(id, secret);
  };
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 65535, 65536, 65537, 200000, 131072}) insert(size);
  for (int round = 0; round < 2000; ++round) insert(1 + random() % 600);
  for (int round = 0; round < 700; ++round) {
    const auto which = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
    REQUIRE(records.erase(which->first).has_value());
    model.erase(which);
  }
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(records.saves() == 1);
  const auto loaded = load_vault(path, key_from(), {});
  REQUIRE(loaded.has_value());
  vault_state& again = **loaded;
  CHECK(again.size() == model.size());
  CHECK(again.saves() == 1);
  CHECK(again.identity() == records.identity());
  for (const auto& [id, secret] : model) CHECK(holds(again, id, secret));
  for (const vault::id each : ever) CHECK(again.find(each).has_value() == model.contains(each));
  // Ids that were given out before the save are not given out after the load.
  for (std::uint64_t round = 0; round < 1500; ++round) REQUIRE(ever.insert(inserted(again, traced(round))).second);
}

TEST_CASE("an empty vault comes back empty") {
  const own_folder folder;
  vault_state records(vault::options{});
  REQUIRE(save_vault(records, folder.file("records"), work, key_from(), nullptr).has_value());
  const auto loaded = load_vault(folder.file("records"), key_from(), {});
  REQUIRE(loaded.has_value());
  CHECK((*loaded)->size() == 0);
  CHECK(holds(**loaded, inserted(**loaded, traced(1)), traced(1)));
}

TEST_CASE("a save replaces the file of before, which stays whole until then") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  const auto id = inserted(records, traced(1));
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  const auto before = contents_of(path);
  const auto more = inserted(records, traced(2));
  bool same = false;
  const vault::watcher look = [&](const vault::progress&) { return same = contents_of(path) == before; };
  REQUIRE(save_vault(records, path, work, key_from(), look).has_value());
  CHECK(same);
  CHECK(contents_of(path) != before);
  const auto loaded = load_vault(path, key_from(), {});
  REQUIRE(loaded.has_value());
  CHECK((*loaded)->saves() == 2);
  CHECK(holds(**loaded, id, traced(1)));
  CHECK(holds(**loaded, more, traced(2)));
}

TEST_CASE("a watcher sees it go on, may stop it, and may not change the vault") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  std::vector<vault::id> ids(10000);
  const auto held = traced(1).buffer();
  {
    const auto view = held.read();
    const std::vector<std::span<const std::byte>> secrets(ids.size(), {view.data(), view.size()});
    REQUIRE(records.insert(secrets, ids).has_value());
  }
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  const auto before = contents_of(path);

  std::vector<std::uint64_t> seen;
  const vault::watcher watch = [&](const vault::progress& now) {
    CHECK(now.all == ids.size());
    CHECK(records.erase(ids[0]).error() == memory_error::busy);
    CHECK(records.rekey().error() == memory_error::busy);
    CHECK(holds(records, ids[0], traced(1)));
    seen.push_back(now.done);
    return seen.size() < 3;
  };
  CHECK(save_vault(records, path, work, key_from(), watch).error() == memory_error::cancelled);
  CHECK(seen == std::vector<std::uint64_t>{4096, 8192, 10000});
  CHECK(contents_of(path) == before);
  CHECK(entries_of(folder.path()) == 1);
  CHECK(records.saves() == 1);
  CHECK(records.erase(ids[0]).has_value());

  std::uint64_t done = 0;
  const vault::watcher stop = [&](const vault::progress& now) { return (done = now.done) < 5000; };
  CHECK(load_vault(path, key_from(), {.watch = stop}).error() == memory_error::cancelled);
  CHECK(done == 8192);
}

TEST_CASE("each file has a salt of its own") {
  const own_folder folder;
  vault_state records(vault::options{});
  std::vector<decltype(lockfast::internal::vault_file_header::salt)> salts;
  const lockfast::internal::file_key_maker note = [&](const lockfast::internal::vault_file_header& header) {
    salts.push_back(header.salt);
    return key_from()(header);
  };
  for (int round = 0; round < 2; ++round) REQUIRE(save_vault(records, folder.file("records"), work, note, nullptr).has_value());
  REQUIRE(salts.size() == 2);
  CHECK(salts[0] != salts[1]);
}

TEST_CASE("the memory that a save and a load take does not grow with the vault") {
  if (sanitized) return;  // whose heap is another
  if (!heap_in_use()) {
    MESSAGE("skipped: this C library does not say what its heap has given out");
    return;
  }
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{.hot_records = 0});
  std::vector<vault::id> ids(100'000);
  const auto held = traced(1).buffer();
  {
    const auto view = held.read();
    const std::vector<std::span<const std::byte>> secrets(ids.size(), view.span());
    REQUIRE(records.insert(secrets, ids).has_value());
  }
  const auto taken = [] {
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    return *heap_in_use() + now.bytes_live;
  };
  constexpr std::size_t all_that_it_takes = 512 * 1024;  // the vault has fifteen times as much
  REQUIRE(records.footprint() > 15 * all_that_it_takes);
  const std::size_t before = taken();
  std::size_t most = 0;
  const vault::watcher watch = [&](const vault::progress&) {
    most = std::max(most, taken());
    return true;
  };
  REQUIRE(save_vault(records, path, work, key_from(), watch).has_value());
  CHECK(most > before);
  CHECK(most - before < all_that_it_takes);
  // Beyond the records themselves.
  const auto loaded = load_vault(path, key_from(), {.vault = {.hot_records = 0}, .watch = watch});
  REQUIRE(loaded.has_value());
  CHECK(most - before < (*loaded)->footprint() + all_that_it_takes);
}

TEST_CASE("a path that leads nowhere is refused") {
  const own_folder folder;
  vault_state records(vault::options{});
  for (const std::string& path :
       {folder.file("no/such"), folder.file(""), folder.file("."), folder.file(".."), std::string()}) {
    CAPTURE(path);
    CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::file_system);
    CHECK_FALSE(load_vault(path, key_from(), {}).has_value());
  }
  CHECK(load_vault(folder.file("none"), key_from(), {}).error() == memory_error::not_found);
  CHECK(load_vault(folder.path().string(), key_from(), {}).error() == memory_error::file_system);
  CHECK(records.saves() == 0);
}

TEST_CASE("a file of fewer saves than the caller accepts is outdated") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  std::filesystem::copy(path, folder.file("old"));
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(load_vault(path, key_from(), {.min_saves = 2}).has_value());
  CHECK(load_vault(folder.file("old"), key_from(), {.min_saves = 1}).has_value());
  CHECK(load_vault(folder.file("old"), key_from(), {.min_saves = 2}).error() == memory_error::outdated);
}
