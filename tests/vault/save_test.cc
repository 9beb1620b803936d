// save_test.cc - a saved vault comes back whole, replaces what was there at once, and leaves nothing beside it.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <set>
#include <vector>

#include "boojum/vault_disk.h"
#include "support/heap_use.h"
#include "support/sanitized.h"
#include "support/traced.h"
#include "vault/file_key.h"

using lockfast::memory_error;
using lockfast::vault;
using lockfast::internal::load_vault;
using lockfast::internal::save_vault;
using lockfast::internal::vault_state;

namespace {

constexpr unsigned work = 10;

vault::id inserted(vault_state& records, const traced& secret) {
  const auto held = secret.buffer();
  const auto view = held.read();
  const std::span<const std::byte> bytes(view.data(), view.size());
  vault::id id;
  REQUIRE(records.insert({&bytes, 1}, {&id, 1}).has_value());
  return id;
}

bool holds(vault_state& records, vault::id which, const traced& secret) {
  const auto view = records.open(which);
  return view && secret.equals(view->span());
}

std::size_t entries_of(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

std::vector<char> contents_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

}  // namespace

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

TEST_CASE("the file is its owner's alone, nothing is left beside it, and no record is plain in it") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  for (std::uint64_t seed = 0; seed < 50; ++seed) (void)inserted(records, traced(seed, 48));
  const mode_t before = umask(0);
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  umask(before);
  struct stat found = {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 07777) == 0600);
  CHECK(entries_of(folder.path()) == 1);
  for (std::uint64_t seed = 0; seed < 50; ++seed) CHECK(traced(seed, 48).copies_in(std::filesystem::path(path)) == 0);
  // The control: a plain one would be found.
  std::ofstream plain(folder.file("plain"), std::ios::binary);
  for (std::size_t at = 0; at < 48; ++at) plain.put(static_cast<char>(traced(7, 48)[at]));
  plain.close();
  CHECK(traced(7, 48).copies_in(std::filesystem::path(folder.file("plain"))) == 3);
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
    lockfast_statistics(&now);
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

TEST_CASE("what a killed save left is removed by the next; what somebody writes now is left alone") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const std::string beside = folder.file(".records.saving");
  vault_state records(vault::options{});
  const auto id = inserted(records, traced(1));
  std::ofstream(beside) << "half a file";
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(entries_of(folder.path()) == 1);
  const int other = open(beside.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE(other >= 0);
  REQUIRE(flock(other, LOCK_EX | LOCK_NB) == 0);
  CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::busy);
  CHECK(std::filesystem::exists(beside));
  close(other);
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(holds(**load_vault(path, key_from(), {}), id, traced(1)));
}

TEST_CASE("a link in the way is neither followed nor written through") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::ofstream(folder.file("victim")) << "as it was";
  vault_state records(vault::options{});
  std::filesystem::create_symlink("victim", folder.file(".records.saving"));
  CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::file_system);
  std::filesystem::remove(folder.file(".records.saving"));
  std::filesystem::create_symlink("victim", path);
  CHECK(load_vault(path, key_from(), {}).error() == memory_error::file_system);
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(std::filesystem::is_regular_file(std::filesystem::symlink_status(path)));
  CHECK(contents_of(folder.file("victim")) == std::vector<char>{'a', 's', ' ', 'i', 't', ' ', 'w', 'a', 's'});
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
  CHECK(load_vault(path, key_from(), {.least_saves = 2}).has_value());
  CHECK(load_vault(folder.file("old"), key_from(), {.least_saves = 1}).has_value());
  CHECK(load_vault(folder.file("old"), key_from(), {.least_saves = 2}).error() == memory_error::outdated);
}
