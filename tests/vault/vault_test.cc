// vault_test.cc - what a vault promises of its records, one after the other.
#include <doctest/doctest.h>
#include <lockfast/vault.hpp>

#include <algorithm>
#include <chrono>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <utility>
#include <vector>

#include "boojum/vault/hot_records.h"
#include "boojum/vault/vault_state.h"
#include "support/probe.h"
#include "support/traced.h"
#include "vault/key_time.h"

using lockfast::buffer;
using lockfast::memory_error;
using lockfast::vault;
using clock_type = std::chrono::steady_clock;

namespace {

const vault::options cold = {.hot_records = 0};

bool holds(const vault& records, vault::id which, const traced& secret) {
  const auto view = records.open(which);
  return view && secret.equals(view->span());
}

}  // namespace

TEST_CASE("an inserted record opens to what was inserted, under an id of its own") {
  vault records;
  CHECK(records.empty());
  std::vector<vault::id> ids;
  for (std::size_t size = 1; size <= 70; ++size) {
    const auto id = records.insert(traced(size, size).buffer());
    REQUIRE(id.has_value());
    ids.push_back(*id);
  }
  const auto large = records.insert(traced(1000, 100000).buffer());
  REQUIRE(large.has_value());
  CHECK(records.size() == 71);
  for (std::size_t size = 1; size <= 70; ++size) CHECK(holds(records, ids[size - 1], traced(size, size)));
  CHECK(holds(records, *large, traced(1000, 100000)));
  CHECK(records.size_of(*large) == 100000);
  CHECK(std::set(ids.begin(), ids.end()).size() == ids.size());
}

TEST_CASE("a buffer that is inserted goes; one that is lent stays") {
  vault records;
  auto given = traced(1).buffer();
  REQUIRE(records.insert(std::move(given)).has_value());
  CHECK(given.empty());
  const auto lent = traced(2).buffer();
  const auto id = records.insert(lent);
  REQUIRE(id.has_value());
  CHECK(lent.size() == 32);
  CHECK(holds(records, *id, traced(2)));
  auto moved_away = std::move(given);
  CHECK(records.insert(given).error() == memory_error::wiped);
}

TEST_CASE("a view can be read, not written, and nothing past its end; it traps once it is gone") {
  vault records(cold);
  const auto id = records.insert(traced(1).buffer());
  REQUIRE(id.has_value());
  const std::byte* at = nullptr;
  {
    const auto view = records.open(*id);
    REQUIRE(view.has_value());
    at = view->data();
    CHECK(view->size() == 32);
    CHECK_FALSE(traps_on_read(at));
    CHECK(traps_on_write(const_cast<std::byte*>(at)));
    CHECK(traps_on_read(at + 32));
  }
  CHECK(traps_on_read(at));
}

TEST_CASE("a record that was opened lately rests without access, and is opened again without a cipher") {
  vault records(vault::options{.hot_records = 2});
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < 3; ++seed) ids.push_back(*records.insert(traced(seed).buffer()));
  const std::byte* const first = records.open(ids[0])->data();
  CHECK(traps_on_read(first));
  {
    const auto again = records.open(ids[0]);
    REQUIRE(again.has_value());
    CHECK(again->data() == first);
    CHECK(traced(0).equals(again->span()));
    const auto twice = records.open(ids[0]);
    CHECK(twice->data() == first);
  }
  CHECK(traps_on_read(first));
  (void)records.open(ids[1]);
  (void)records.open(ids[2]);  // 0 was not asked for the longest
  for (std::uint64_t seed = 0; seed < 3; ++seed) CHECK(holds(records, ids[seed], traced(seed)));
}

TEST_CASE("the number of cached records is bounded") {
  vault records(vault::options{.hot_records = 4});
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < 50; ++seed) ids.push_back(*records.insert(traced(seed).buffer()));
  struct lockfast_statistics before;
  lockfast_get_statistics(&before);
  for (std::uint64_t seed = 0; seed < 50; ++seed) CHECK(holds(records, ids[seed], traced(seed)));
  struct lockfast_statistics after;
  lockfast_get_statistics(&after);
  CHECK(after.live - before.live == 4);
}

TEST_CASE("replacing changes what opens, not the id, and a view of before stays as it is") {
  for (const std::size_t hot : {std::size_t{0}, std::size_t{4}}) {
    vault records(vault::options{.hot_records = hot});
    const auto id = *records.insert(traced(1).buffer());
    const auto before = records.open(id);
    REQUIRE(before.has_value());
    for (std::uint64_t seed = 2; seed < 40; ++seed) {
      REQUIRE(records.replace(id, traced(seed, seed).buffer()).has_value());
      CHECK(holds(records, id, traced(seed, seed)));
    }
    CHECK(traced(1).equals(before->span()));
    CHECK(records.size() == 1);
  }
}

TEST_CASE("an erased record is gone, and its id never comes back") {
  vault records;
  std::set<vault::id> ever;
  for (std::uint64_t round = 0; round < 500; ++round) {
    const auto id = *records.insert(traced(round).buffer());
    CHECK(ever.insert(id).second);
    CHECK(records.contains(id));
    CHECK(records.open(id).has_value());
    REQUIRE(records.erase(id).has_value());
    CHECK_FALSE(records.contains(id));
    CHECK(records.open(id).error() == memory_error::not_found);
    CHECK(records.erase(id).error() == memory_error::not_found);
    CHECK(records.replace(id, traced(1).buffer()).error() == memory_error::not_found);
    CHECK(records.size_of(id).error() == memory_error::not_found);
  }
  CHECK(records.empty());
}

TEST_CASE("an id that was never given out is not found") {
  vault records;
  (void)records.insert(traced(1).buffer());
  for (const std::uint64_t value :
       {std::uint64_t{0}, std::uint64_t{1}, ~std::uint64_t{0}, std::uint64_t{1} << 32, std::uint64_t{2} << 32}) {
    CHECK(records.open(vault::id(value)).has_value() == records.contains(vault::id(value)));
  }
  CHECK(records.open(vault::id()).error() == memory_error::not_found);
  CHECK(records.open(vault::id(~std::uint64_t{0})).error() == memory_error::not_found);
}

TEST_CASE("several records are used at once, in the order of the ids, repeated ones too") {
  vault records;
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < 200; ++seed) ids.push_back(*records.insert(traced(seed, 1 + seed % 50).buffer()));
  ids.push_back(ids.front());
  const auto sum = records.use(ids, [&](vault::spans secrets) {
    REQUIRE(secrets.size() == ids.size());
    for (std::uint64_t seed = 0; seed < 200; ++seed) CHECK(traced(seed, 1 + seed % 50).equals(secrets[seed]));
    CHECK(traced(0, 1).equals(secrets.back()));
    CHECK(traps_on_write(const_cast<std::byte*>(secrets[0].data())));
    return secrets.size();
  });
  CHECK(sum == ids.size());
  ids.push_back(vault::id());
  bool called = false;
  CHECK(records.use(ids, [&](vault::spans) { called = true; }).error() == memory_error::not_found);
  CHECK_FALSE(called);
  CHECK(records.use(std::span<const vault::id>(), [](vault::spans none) { return none.size(); }) == 0);
  CHECK(records.use(ids[3], [](std::span<const std::byte> secret) { return secret.size(); }) == 4);
}

TEST_CASE("secrets are inserted together, or none of them") {
  vault records;
  const auto held = traced(1, 64).buffer();
  const auto view = held.read();
  const std::span<const std::byte> all(view.data(), view.size());
  std::vector<std::span<const std::byte>> secrets = {all.first(10), all.subspan(10, 20), all};
  std::vector<vault::id> ids(3);
  REQUIRE(records.insert(secrets, ids).has_value());
  CHECK(records.size() == 3);
  CHECK(records.use(ids[1], [&](auto secret) { return std::ranges::equal(secret, secrets[1]); }) == true);
  secrets[2] = {};
  CHECK(records.insert(secrets, ids).error() == memory_error::zero_size);
  CHECK(records.size() == 3);
  CHECK(ids == std::vector<vault::id>(3));
}

TEST_CASE("so are many, short and long ones, wherever the one is that cannot be") {
  std::vector<std::byte> plain(10000);
  for (std::size_t at = 0; at < plain.size(); ++at) plain[at] = static_cast<std::byte>(at * 13 + at / 256);
  std::vector<std::span<const std::byte>> secrets;
  for (std::size_t at = 0; at < 37; ++at) secrets.push_back(std::span(plain).subspan(at, at % 9 == 4 ? 3000 + at : 1 + at % 40));
  vault records;
  std::vector<vault::id> ids(secrets.size());
  REQUIRE(records.insert(secrets, ids).has_value());
  CHECK(records.use(ids, [&](vault::spans all) {
    return std::ranges::equal(all, secrets, [](auto one, auto other) { return std::ranges::equal(one, other); });
  }) == true);
  for (std::size_t at = 0; at < secrets.size(); ++at) {
    CAPTURE(at);
    auto tried = secrets;
    tried[at] = {};
    std::vector<vault::id> none(secrets.size());
    CHECK(records.insert(tried, none).error() == memory_error::zero_size);
    CHECK(none == std::vector<vault::id>(secrets.size()));
    REQUIRE(records.size() == secrets.size());
  }
  // The slots that were taken back serve the next ones.
  REQUIRE(records.insert(secrets, ids).has_value());
  for (const vault::id each : ids) CHECK(lockfast::internal::vault_state::locate(each).at.slot < 8);
}

TEST_CASE("ids are iterated over, each once") {
  vault records;
  CHECK(records.ids().begin() == records.ids().end());
  std::set<vault::id> model;
  for (std::uint64_t seed = 0; seed < 300; ++seed) model.insert(*records.insert(traced(seed).buffer()));
  for (int round = 0; round < 100; ++round) {
    REQUIRE(records.erase(*model.begin()).has_value());
    model.erase(model.begin());
  }
  std::vector<vault::id> met;
  for (const vault::id each : records.ids()) met.push_back(each);
  CHECK(met.size() == model.size());
  CHECK(std::set(met.begin(), met.end()) == model);
}

TEST_CASE("clearing leaves nothing, and the vault goes on") {
  vault records;
  std::set<vault::id> ever;
  for (std::uint64_t seed = 0; seed < 100; ++seed) ever.insert(*records.insert(traced(seed).buffer()));
  (void)records.open(*ever.begin());
  REQUIRE(records.clear().has_value());
  CHECK(records.empty());
  for (const vault::id each : ever) CHECK(records.open(each).error() == memory_error::not_found);
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    const auto id = *records.insert(traced(seed).buffer());
    CHECK(ever.insert(id).second);
    CHECK(holds(records, id, traced(seed)));
  }
}

TEST_CASE("a vault that was moved away refuses, and the other has its records") {
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  vault other = std::move(records);
  CHECK(holds(other, id, traced(1)));
  CHECK(records.open(id).error() == memory_error::wiped);
  CHECK(records.insert(traced(2).buffer()).error() == memory_error::wiped);
  CHECK(records.clear().error() == memory_error::wiped);
  CHECK(records.rekey().error() == memory_error::wiped);
  CHECK(records.size() == 0);
  CHECK(records.ids().begin() == records.ids().end());
  records = std::move(other);
  CHECK(holds(records, id, traced(1)));
}

TEST_CASE("a vault does what a map does, through any number of changes and keys") {
  for (const std::size_t hot : {std::size_t{0}, std::size_t{8}}) {
    vault records(vault::options{.hot_records = hot});
    std::map<vault::id, traced> model;
    std::mt19937 random(3);
    for (std::uint64_t round = 0; round < 3000; ++round) {
      const traced secret(round, 16 + random() % 100);
      const auto which =
          model.empty() ? model.end() : std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
      const auto deed = random() % 100;
      if (which == model.end() || deed < 30) {
        const auto id = records.insert(secret.buffer());
        REQUIRE(id.has_value());
        REQUIRE(model.emplace(*id, secret).second);
      } else if (deed < 50) {
        REQUIRE(records.replace(which->first, secret.buffer()).has_value());
        which->second = secret;
      } else if (deed < 70) {
        REQUIRE(records.erase(which->first).has_value());
        model.erase(which);
      } else if (deed < 99) {
        REQUIRE(holds(records, which->first, which->second));
      } else {
        REQUIRE(records.rekey().has_value());
        for (const auto& [id, held] : model) REQUIRE(holds(records, id, held));
      }
      REQUIRE(records.size() == model.size());
    }
  }
}

TEST_CASE("a vault keeps everything under a key that is due, and then under a new one") {
  vault records(vault::options{.key_age = std::chrono::seconds(1)});
  const auto id = *records.insert(traced(1).buffer());
  while (records.key_age() < std::chrono::seconds(1)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto due = clock_type::now();
  CHECK(key_made_before(records, due));
  CHECK(holds(records, id, traced(1)));
  CHECK_FALSE(key_made_before(records, due));
  CHECK(holds(records, id, traced(1)));
}

TEST_CASE("the longest key age there is never comes") {
  vault records(vault::options{.key_age = std::chrono::seconds::max()});
  const auto id = *records.insert(traced(1).buffer());
  std::this_thread::sleep_for(std::chrono::milliseconds(10));
  const auto before = records.key_age();
  CHECK(holds(records, id, traced(1)));
  CHECK(records.key_age() >= before);
}

TEST_CASE("a re-key leaves no opened record that no call finds any more") {
  constexpr std::size_t hot = 8;
  vault records(vault::options{.hot_records = hot});
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < hot; ++seed) ids.push_back(*records.insert(traced(seed).buffer()));
  const auto isolated = [] {
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    return now.live_isolated;
  };
  (void)records.rekey();
  const std::size_t at_rest = isolated();
  for (const vault::id each : ids) CHECK(records.open(each).has_value());
  CHECK(isolated() == at_rest + hot);
  REQUIRE(records.rekey().has_value());
  CHECK(isolated() == at_rest);
  for (std::uint64_t seed = 0; seed < hot; ++seed) CHECK(holds(records, ids[seed], traced(seed)));
}

TEST_CASE("a re-key that is due is carried by many calls, some records with each") {
  vault records(vault::options{.hot_records = 0, .key_age = std::chrono::seconds(1)});
  constexpr std::size_t count = 20000;
  std::vector<vault::id> ids(count);
  const std::byte secret{7};
  const std::vector<std::span<const std::byte>> secrets(count, {&secret, 1});
  REQUIRE(records.insert(secrets, ids).has_value());
  const auto all_are_there = [&] {
    CHECK(records.use(ids, [&](vault::spans all) {
      return std::ranges::all_of(all, [&](auto each) { return each.size() == 1 && each[0] == secret; });
    }) == true);
  };
  while (records.key_age() < std::chrono::seconds(1)) std::this_thread::sleep_for(std::chrono::milliseconds(50));
  const auto due = clock_type::now();
  std::size_t calls = 0;
  while (key_made_before(records, due) && calls < count) {
    const auto view = records.open(ids[calls * 7 % count]);
    REQUIRE(view.has_value());
    CHECK(*view->data() == secret);
    // Some are under one key and some under the other.
    if (++calls == 80) all_are_there();
  }
  CHECK(calls > 100);
  CHECK(calls < 1000);
  all_are_there();
}

TEST_CASE("a use gives a value, or the function's own refusal, in one std::expected") {
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  const std::expected<std::size_t, memory_error> size = records.use(id, [](auto secret) { return secret.size(); });
  CHECK(size == 32);
  const std::expected<int, memory_error> refused =
      records.use(id, [](auto) -> std::expected<int, memory_error> { return std::unexpected(memory_error::cancelled); });
  CHECK(refused.error() == memory_error::cancelled);
  const std::expected<int, memory_error> together =
      records.use(std::span(&id, 1), [](vault::spans) -> std::expected<int, memory_error> { return 7; });
  CHECK(together == 7);
  CHECK(records.use(vault::id(), [](auto) -> std::expected<int, memory_error> { return 7; }).error() ==
        memory_error::not_found);
}

TEST_CASE("a record that is kept open is found by its id and its version alone") {
  auto made = lockfast::detail::cell::make(8);
  REQUIRE(made);
  const std::shared_ptr<lockfast::detail::cell> opened(std::move(*made));
  lockfast::internal::hot_records hot(2);
  hot.keep(1, 1, opened);
  CHECK(hot.find(1, 1) == opened);
  CHECK(hot.find(1, 2) == nullptr);
  CHECK(hot.find(2, 1) == nullptr);
}
