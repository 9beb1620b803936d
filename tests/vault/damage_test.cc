// damage_test.cc - a sealed record that was changed, moved or put back from before does not open.
#include <doctest/doctest.h>

#include <set>
#include <vector>

#include "boojum/vault/vault_state.h"
#include "support/traced.h"

using lockfast::memory_error;
using lockfast::vault;
using lockfast::internal::record_state;
using lockfast::internal::seal_head;
using lockfast::internal::sealed_shard;
using lockfast::internal::vault_state;

namespace {

vault::id inserted(vault_state& records, const traced& secret) {
  const auto held = secret.buffer();
  const auto view = held.read();
  const std::span<const std::byte> bytes(view.data(), view.size());
  vault::id id;
  REQUIRE(records.insert({&bytes, 1}, {&id, 1}).has_value());
  return id;
}

struct stored {
  record_state state;
  seal_head head;
  std::vector<std::byte> sealed;
};

stored read(vault_state& records, vault::id which) {
  const auto where = vault_state::locate(which);
  stored out{{}, {}, std::vector<std::byte>(records.find(which)->size)};
  out.state = *records.shard(where.shard).read(where.at, out.head, out.sealed);
  return out;
}

// Puts sealed bytes in the place of a record's, as the next version of it.
void write(vault_state& records, vault::id which, const stored& from) {
  const auto where = vault_state::locate(which);
  const auto now = *records.find(which);
  const record_state next{static_cast<std::uint32_t>(from.sealed.size()), now.version + 1, from.state.epoch};
  REQUIRE(records.shard(where.shard).replace(where.at, next, from.head, from.sealed).has_value());
}

void expect_damaged(vault_state& records, vault::id which) {
  CHECK(records.open(which).error() == memory_error::damaged);
  CHECK(records.open(std::span(&which, 1)).error() == memory_error::damaged);
}

}  // namespace

TEST_CASE("a record of which a bit was changed is damaged, and its neighbours are whole") {
  vault_state records(vault::options{.hot_records = 0});
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < 40; ++seed) ids.push_back(inserted(records, traced(seed)));
  // A bit of the nonce, of the tag, of the sealed bytes. The state of before is written back by re-sealing it.
  for (int part = 0; part < 3; ++part) {
    stored changed = read(records, ids[5]);
    std::byte* const at[] = {&changed.head.once[23], &changed.head.tag[0], &changed.sealed[31]};
    *at[part] ^= std::byte{0x80};
    write(records, ids[5], changed);
    expect_damaged(records, ids[5]);
    CHECK(records.open(ids).error() == memory_error::damaged);
    const auto secret = traced(5).buffer();
    const auto view = secret.read();
    REQUIRE(records.replace(ids[5], {view.data(), view.size()}).has_value());
    CHECK(traced(5).equals(records.open(ids[5])->span()));
  }
  for (std::uint64_t seed = 0; seed < 40; ++seed) CHECK(traced(seed).equals(records.open(ids[seed])->span()));
  CHECK(records.open(ids).has_value());
}

TEST_CASE("a record that was put back from before is damaged") {
  vault_state records(vault::options{.hot_records = 0});
  const vault::id id = inserted(records, traced(1));
  const stored before = read(records, id);
  write(records, id, before);
  expect_damaged(records, id);
}

TEST_CASE("a record in the place of another is damaged") {
  vault_state records(vault::options{.hot_records = 0});
  const vault::id one = inserted(records, traced(1));
  // Replaced once, so that the versions will agree when the other is put there.
  const vault::id other = inserted(records, traced(2));
  const auto secret = traced(3).buffer();
  const auto view = secret.read();
  REQUIRE(records.replace(other, {view.data(), view.size()}).has_value());
  write(records, one, read(records, other));
  CHECK(records.find(one)->version == records.find(other)->version);
  expect_damaged(records, one);
  CHECK(traced(3).equals(records.open(other)->span()));
}

TEST_CASE("an erased record in the slot of a later one is damaged") {
  vault_state records(vault::options{.hot_records = 0});
  const vault::id first = inserted(records, traced(1));
  const auto where = vault_state::locate(first);
  const stored old = read(records, first);
  REQUIRE(records.erase(first).has_value());
  sealed_shard& shard = records.shard(where.shard);
  const auto later = shard.reserve();
  REQUIRE(later->slot == where.at.slot);
  REQUIRE(shard.publish(*later, old.state.epoch, old.head, old.sealed).has_value());
  expect_damaged(records, vault_state::id_of({where.shard, *later}));
}

TEST_CASE("a re-key tells of a damaged record, and leaves the others whole, under the new key alone") {
  vault_state records(vault::options{.hot_records = 0});
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < 60; ++seed) ids.push_back(inserted(records, traced(seed)));
  stored changed = read(records, ids[30]);
  changed.sealed[0] ^= std::byte{1};
  write(records, ids[30], changed);
  CHECK(records.rekey().error() == memory_error::damaged);
  for (std::uint64_t seed = 0; seed < 60; ++seed) {
    if (seed == 30) continue;
    CHECK(records.find(ids[seed])->epoch == 1);
    CHECK(traced(seed).equals(records.open(ids[seed])->span()));
  }
  expect_damaged(records, ids[30]);
  // As long as it is there, under whichever of the two keys.
  for (int round = 0; round < 2; ++round) {
    CHECK(records.rekey().error() == memory_error::damaged);
    expect_damaged(records, ids[30]);
  }
  REQUIRE(records.erase(ids[30]).has_value());
  CHECK(records.rekey().has_value());
  CHECK(records.keys()->by_epoch[1] == nullptr);
}

TEST_CASE("a re-key leaves no record under the key of before") {
  vault_state records(vault::options{.hot_records = 0});
  const vault::id id = inserted(records, traced(1));
  const stored before = read(records, id);
  REQUIRE(records.rekey().has_value());
  const stored after = read(records, id);
  CHECK(before.sealed != after.sealed);
  CHECK(before.head.once != after.head.once);
  CHECK(before.state.epoch != after.state.epoch);
  CHECK(records.keys()->by_epoch[before.state.epoch] == nullptr);
}

TEST_CASE("no two records are sealed with the same nonce, together or one by one, under one key or the next") {
  vault_state records(vault::options{.hot_records = 0});
  constexpr std::size_t count = 100;
  const traced secret(1);
  const auto held = secret.buffer();
  const auto view = held.read();
  const std::vector<std::span<const std::byte>> secrets(count, {view.data(), view.size()});
  std::vector<vault::id> ids(count);
  REQUIRE(records.insert(secrets, ids).has_value());
  for (std::uint64_t seed = 0; seed < 10; ++seed) ids.push_back(inserted(records, traced(seed)));
  std::set<lockfast::internal::nonce> all;
  for (int round = 0; round < 3; ++round) {
    for (const vault::id each : ids) CHECK(all.insert(read(records, each).head.once).second);
    REQUIRE(records.rekey().has_value());
  }
}
