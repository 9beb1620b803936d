// names_test.cc - records under names, labels, ids that are reserved, owners.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>

#include <atomic>
#include <map>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "boojum/crypto/little_endian.h"
#include "boojum/files/named_file.h"
#include "support/memory_search.h"
#include "vault/saving.h"

using lockfast::passphrase;
using lockfast::internal::atomic_file_writer;
using lockfast::internal::chunk_writer;
using lockfast::internal::key_view;
using lockfast::internal::store_little;
using lockfast::internal::vault_file_header;

namespace {

std::string text_of(const lockfast::buffer<std::byte>& from) {
  const auto view = from.read();
  return {reinterpret_cast<const char*>(view.data()), view.size()};
}

std::string name_of(const vault& records, vault::id which) {
  const auto name = records.name_of(which);
  return name ? text_of(*name) : std::string(message(name.error()));
}

std::map<std::string, std::pair<vault::id, std::string>> listed(const vault& records) {
  std::map<std::string, std::pair<vault::id, std::string>> all;
  REQUIRE(records
              .for_each_described(
                  [&](const vault::description& one) { all.emplace(one.name, std::pair(one.which, std::string(one.label))); })
              .has_value());
  return all;
}

passphrase phrase() {
  std::string typed = "four words of mine";
  return *passphrase::take(std::span<char>(typed));
}

std::string number(int value) { return "name number " + std::to_string(value); }

}  // namespace

TEST_CASE("a record is found by its name, which is bytes of any value and of one record alone") {
  vault records;
  CHECK(records.find("none").error() == memory_error::not_found);
  const std::string name("a\0b\xff", 4);
  const auto id = records.insert(name, traced(1).buffer());
  REQUIRE(id.has_value());
  CHECK(records.find(name) == id);
  CHECK(records.find("a").error() == memory_error::not_found);
  CHECK(name_of(records, *id) == name);
  CHECK(records.open(*id).has_value());
  CHECK(records.insert(name, traced(2).buffer()).error() == memory_error::name_taken);
  CHECK(records.size() == 1);
  CHECK(records.insert("", traced(2).buffer()).error() == memory_error::zero_size);
  CHECK(records.insert(std::string(65536, 'n'), traced(2).buffer()).error() == memory_error::limit_exceeded);
  CHECK(records.insert(std::string(65535, 'n'), traced(2).buffer()).has_value());
  CHECK(records.size() == 2);
}

TEST_CASE("a name is changed, taken away, and free again when its record is erased") {
  vault records;
  const vault::id first = *records.insert("first", traced(1).buffer());
  const vault::id second = *records.insert(traced(2).buffer());
  CHECK(records.rename(second, "first").error() == memory_error::name_taken);
  CHECK(records.name_of(second).error() == memory_error::not_found);
  REQUIRE(records.rename(first, "renamed").has_value());
  CHECK(records.rename(first, "renamed").has_value());
  CHECK(records.find("first").error() == memory_error::not_found);
  REQUIRE(records.rename(second, "first").has_value());
  CHECK(records.find("first") == second);
  REQUIRE(records.rename(second, "").has_value());
  CHECK(records.find("first").error() == memory_error::not_found);
  CHECK(records.contains(second));
  REQUIRE(records.erase(first).has_value());
  CHECK(records.find("renamed").error() == memory_error::not_found);
  CHECK(records.name_of(first).error() == memory_error::not_found);
  CHECK(records.rename(first, "again").error() == memory_error::not_found);
  CHECK(records.insert("renamed", traced(3).buffer()).has_value());
  REQUIRE(records.clear().has_value());
  CHECK(listed(records).empty());
  CHECK(records.insert("renamed", traced(3).buffer()).has_value());
}

TEST_CASE("labels are of any number of records, stay with a name that changes, and are listed beside it") {
  vault records;
  std::map<std::string, std::pair<vault::id, std::string>> model;
  for (int each = 0; each < 50; ++each) {
    const auto id = *records.insert(number(each), traced(1).buffer());
    REQUIRE(records.relabel(id, "the same label").has_value());
    model[number(each)] = {id, "the same label"};
  }
  CHECK(listed(records) == model);
  const auto [id, label] = model[number(7)];
  REQUIRE(records.rename(id, "another").has_value());
  CHECK(text_of(*records.label_of(id)) == label);
  REQUIRE(records.rename(id, "").has_value());
  CHECK(text_of(*records.label_of(id)) == label);
  CHECK(records.name_of(id).error() == memory_error::not_found);
  REQUIRE(records.relabel(id, "").has_value());
  CHECK(records.label_of(id).error() == memory_error::not_found);
  CHECK(listed(records).size() == 49);
}

TEST_CASE("names stay over replacements, re-keys, saves and loads") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault records;
  for (int each = 0; each < 300; ++each) {
    const auto id = *records.insert(number(each), traced(static_cast<std::uint64_t>(each)).buffer());
    if (each % 3 == 0) REQUIRE(records.relabel(id, std::string(static_cast<std::size_t>(each * 200), 'x')).has_value());
    if (each % 5 == 0) REQUIRE(records.replace(id, traced(static_cast<std::uint64_t>(each), 40).buffer()).has_value());
  }
  const auto reserved = *records.reserve();
  REQUIRE(records.rename(reserved, "not filled").has_value());
  auto model = listed(records);
  REQUIRE(records.rekey().has_value());
  CHECK(listed(records) == model);
  REQUIRE(records.save(path, phrase(), {.cost = 10}).has_value());
  const auto loaded = vault::load(path, phrase());
  REQUIRE(loaded.has_value());
  model.erase("not filled");
  CHECK(listed(*loaded) == model);
  CHECK(loaded->find(number(299)) == records.find(number(299)));
  CHECK(loaded->size() == records.size());
}

TEST_CASE("a file without names is as it was before there were any") {
  const own_folder folder;
  vault_state records(vault::options{});
  const auto id = inserted(records, traced(1, 10));
  REQUIRE(save_vault(records, folder.file("plain"), work, key_from(), nullptr).has_value());
  const auto plain_size = contents_of(folder.file("plain")).size();
  REQUIRE(records.describe(id, lockfast::internal::record_names::part::name, "name").has_value());
  REQUIRE(save_vault(records, folder.file("named"), work, key_from(), nullptr).has_value());
  CHECK(contents_of(folder.file("named")).size() == plain_size + 8 + 16 + 4);
  REQUIRE(records.describe(id, lockfast::internal::record_names::part::name, "").has_value());
  REQUIRE(save_vault(records, folder.file("again"), work, key_from(), nullptr).has_value());
  CHECK(contents_of(folder.file("again")).size() == plain_size);
}

TEST_CASE("a file whose names are no names of its records is damaged") {
  const own_folder folder;
  const std::string path = folder.file("records");
  // One record of a byte, generation 1 in slot 0 of shard 0; then what each case appends.
  const auto load = [&](const std::vector<std::byte>& section) {
    std::vector<std::byte> plain(17 + 15 * 8);
    store_little(plain.data(), std::uint32_t{1});
    store_little(plain.data() + 8, std::uint32_t{1});
    store_little(plain.data() + 12, std::uint32_t{1});
    plain.insert(plain.end(), section.begin(), section.end());
    const vault_file_header header = {.key = {.cost = 10}, .saves = 1, .records = 1};
    const auto key = key_from()(header);
    auto file = atomic_file_writer::create(path);
    REQUIRE(file.has_value());
    {
      chunk_writer out(file->opened(), header);
      const auto view = key->read();
      REQUIRE(out.begin(key_view(view.data(), 32)).has_value());
      REQUIRE(out.put(plain).has_value());
      REQUIRE(out.end().has_value());
    }
    REQUIRE(file->commit().has_value());
    const auto loaded = load_vault(path, key_from(), {});
    return loaded ? std::string("loaded") : std::string(message(loaded.error()));
  };
  const auto section = [](std::uint32_t kind, std::uint32_t count, std::vector<std::pair<std::uint64_t, std::string>> names) {
    std::vector<std::byte> made(8);
    store_little(made.data(), kind);
    store_little(made.data() + 4, count);
    for (const auto& [id, name] : names) {
      std::vector<std::byte> one(16);
      store_little(one.data(), id);
      store_little(one.data() + 8, static_cast<std::uint32_t>(name.size()));
      made.insert(made.end(), one.begin(), one.end());
      const auto bytes = std::as_bytes(std::span(name));
      made.insert(made.end(), bytes.begin(), bytes.end());
    }
    return made;
  };
  constexpr std::uint64_t there = std::uint64_t{1} << 32;
  const std::string damaged(message(memory_error::damaged));
  CHECK(load({}) == "loaded");
  CHECK(load(section(1, 1, {{there, "name"}})) == "loaded");
  CHECK(load(section(2, 1, {{there, "name"}})) == damaged);
  CHECK(load(section(1, 0, {})) == damaged);
  CHECK(load(section(1, 1, {{there + 1, "name"}})) == damaged);
  CHECK(load(section(1, 2, {{there, "name"}, {there, "other"}})) == damaged);
  CHECK(load(section(1, 1, {{there, ""}})) == damaged);
  CHECK(load(section(1, 2, {{there, "name"}})) == damaged);
  CHECK(load(section(1, 1, {{there, "name"}, {there, "name"}})) == damaged);
  CHECK(load(section(1, 1, {{there, std::string(65536, 'n')}})) == damaged);
  auto cut = section(1, 1, {{there, "name"}});
  cut.pop_back();
  CHECK(load(cut) == damaged);
}

TEST_CASE("no name and no label lies plain in ordinary memory or in a file") {
  if (!memory_can_be_searched()) return;
  const own_folder folder;
  vault_state records(vault::options{.hot_records = 0});
  const traced name(77);
  const traced label(78);
  const auto id = inserted(records, traced(1));
  {
    const auto held = name.buffer();
    const auto view = held.read();
    const auto other = label.buffer();
    const auto other_view = other.read();
    const auto text = [](const auto& of) { return std::string_view(reinterpret_cast<const char*>(of.data()), of.size()); };
    using part = lockfast::internal::record_names::part;
    REQUIRE(records.describe(id, part::name, text(view)).has_value());
    REQUIRE(records.describe(id, part::label, text(other_view)).has_value());
    CHECK(records.names().find(text(view)) == id);
  }
  REQUIRE(save_vault(records, folder.file("records"), work, key_from(), nullptr).has_value());
  const auto loaded = load_vault(folder.file("records"), key_from(), {});
  REQUIRE(loaded.has_value());
  CHECK(name.copies_in_memory() == 0);
  CHECK(label.copies_in_memory() == 0);
  CHECK(name.copies_in(folder.file("records")) == 0);
}

TEST_CASE("a reserved id is filled once, stays reserved over a save, and goes to nobody else") {
  const own_folder folder;
  vault records;
  std::set<vault::id> ids;
  for (int each = 0; each < 40; ++each) ids.insert(*records.reserve());
  CHECK(ids.size() == 40);
  CHECK(records.empty());
  const vault::id id = *ids.begin();
  CHECK(records.open(id).error() == memory_error::not_found);
  CHECK(records.replace(id, traced(1).buffer()).error() == memory_error::not_found);
  REQUIRE(records.save(folder.file("records"), phrase(), {.cost = 10}).has_value());
  for (std::uint64_t each = 0; each < 200; ++each) CHECK_FALSE(ids.contains(*records.insert(traced(each).buffer())));
  const auto loaded = vault::load(folder.file("records"), phrase());
  REQUIRE(loaded.has_value());
  for (std::uint64_t each = 0; each < 200; ++each) {
    auto again = vault::load(folder.file("records"), phrase());
    if (each % 50 == 0) CHECK_FALSE(ids.contains(*again->insert(traced(each).buffer())));
  }
  REQUIRE(records.fill(id, traced(3).buffer()).has_value());
  CHECK(traced(3).equals(records.open(id)->span()));
  CHECK(records.fill(id, traced(4).buffer()).error() == memory_error::not_found);
  CHECK(records.size() == 201);
  REQUIRE(records.erase(*ids.rbegin()).has_value());
  CHECK(records.fill(*ids.rbegin(), traced(4).buffer()).error() == memory_error::not_found);
  CHECK(records.fill(vault::id(1), traced(4).buffer()).error() == memory_error::not_found);
  REQUIRE(records.clear().has_value());
  CHECK(records.fill(*std::next(ids.begin()), traced(4).buffer()).error() == memory_error::not_found);
}

TEST_CASE("a secret that is only lent is inserted under a name, and fills an id, and stays with its owner") {
  vault records;
  const auto lent = traced(1).buffer();
  const auto named = records.insert("name", lent);
  REQUIRE(named.has_value());
  CHECK(records.find("name") == named);
  CHECK_FALSE(records.insert("name", lent).has_value());
  const auto reserved = *records.reserve();
  REQUIRE(records.fill(reserved, lent).has_value());
  CHECK_FALSE(records.fill(reserved, lent).has_value());
  for (const vault::id each : {*named, reserved}) CHECK(traced(1).equals(records.open(each)->span()));
  CHECK(records.size() == 2);
  CHECK(traced(1).equals(lent.read().span()));

  const vault moved = std::move(records);
  CHECK_FALSE(records.insert("other", lent).has_value());
  CHECK_FALSE(records.fill(reserved, lent).has_value());
  CHECK(records.footprint() == 0);
  const own_folder folder;
  CHECK(records.save(folder.file("records"), phrase(), {.cost = 10}).error() == memory_error::wiped);
  CHECK(moved.footprint() >= 2 * traced(1).size());
}

TEST_CASE("an owner erases its record when it goes, unless it released it or the vault is gone") {
  auto records = std::make_unique<vault>();
  const auto insert = [&] { return *records->insert(traced(1).buffer()); };
  const vault::id first = insert();
  {
    const auto owner = records->own(first);
    CHECK(owner.which() == first);
    CHECK(records->contains(first));
  }
  CHECK_FALSE(records->contains(first));
  const vault::id kept = insert();
  CHECK(records->own(kept).release() == kept);
  CHECK(records->contains(kept));
  const vault::id moved = insert();
  vault::owner into;
  {
    auto from = records->own(moved);
    into = std::move(from);
  }
  CHECK(records->contains(moved));
  vault elsewhere = std::move(*records);
  into = vault::owner();
  CHECK_FALSE(elsewhere.contains(moved));
  into = elsewhere.own(kept);
  elsewhere = vault();
  into.reset();
}

TEST_CASE("threads that name, rename, find and erase leave each name with one record") {
  vault records(vault::options{.hot_records = 0});
  std::atomic<int> won = 0;
  std::vector<std::jthread> all;
  for (int thread = 0; thread < 4; ++thread) {
    all.emplace_back([&, thread] {
      for (int round = 0; round < 60; ++round) {
        const auto id = records.insert(number(round), traced(1).buffer());
        if (id) ++won;
        (void)records.find(number(round / 2));
        if (id && round % 3 == 0) CHECK(records.rename(*id, number(1000 + thread * 100 + round)).has_value());
        if (id && round % 3 == 1) CHECK(records.erase(*id).has_value());
      }
    });
  }
  all.clear();
  CHECK(won >= 60);
  const auto names = listed(records);
  for (const auto& [name, of] : names) {
    CHECK(records.find(name) == of.first);
    CHECK(records.contains(of.first));
  }
  std::size_t named = 0;
  for (const auto id : records.ids()) named += records.name_of(id).has_value() ? 1U : 0U;
  CHECK(named == names.size());
}
