// shard_test.cc - chunked bytes against plain ones, and a shard against a plain map: what is live, where, and for how much.
#include "boojum/vault/sealed_shard.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <utility>
#include <vector>

#include "boojum/vault/chunked_bytes.h"

using lockfast::memory_error;
using lockfast::internal::chunked_bytes;
using lockfast::internal::record_state;
using lockfast::internal::seal_head;
using lockfast::internal::sealed_shard;
using lockfast::internal::tenancy;

namespace {

using bytes = std::vector<std::byte>;

// Stands for sealed bytes: another pattern for each number.
bytes pattern(std::size_t size, std::uint32_t number) {
  bytes made(size);
  for (std::size_t at = 0; at < size; ++at) made[at] = static_cast<std::byte>(at * 7 + number * 13 + (number >> 8));
  return made;
}

seal_head head_of(std::uint32_t number) {
  seal_head head = {};
  std::memcpy(head.once.data(), &number, sizeof number);
  head.tag.fill(static_cast<std::byte>(number));
  return head;
}

tenancy inserted(sealed_shard& into, std::size_t size, std::uint32_t number) {
  const auto at = into.reserve();
  REQUIRE(at.has_value());
  REQUIRE(into.publish(*at, 0, head_of(number), pattern(size, number)).has_value());
  return *at;
}

bool holds(const sealed_shard& shard, tenancy at, std::size_t size, std::uint32_t number) {
  seal_head head;
  bytes sealed(size);
  const auto found = shard.read(at, head, sealed);
  const seal_head wanted = head_of(number);
  return found && found->size == size && sealed == pattern(size, number) && head.once == wanted.once && head.tag == wanted.tag;
}

}  // namespace

TEST_CASE("chunked bytes are what was written, wherever a chunk ends") {
  chunked_bytes held;
  bytes model;
  std::mt19937 random(1);
  for (int round = 0; round < 2000; ++round) {
    const std::size_t size = random() % (5 * chunked_bytes::chunk_size);
    const std::size_t kept = std::min(model.size(), size);
    REQUIRE(held.resize(size));
    model.resize(kept);
    if (size > kept) {
      const bytes more = pattern(size - kept, static_cast<std::uint32_t>(round));
      held.write(kept, more);
      model.insert(model.end(), more.begin(), more.end());
    }
    if (size == 0) continue;
    const std::size_t from = random() % size;
    const std::size_t length = random() % (size - from + 1);
    const std::size_t to = random() % (from + 1);
    held.move_down(from, to, length);
    std::memmove(model.data() + to, model.data() + from, length);
    if (round % 3 == 0) {
      held.wipe(from, length);
      std::fill_n(model.begin() + static_cast<std::ptrdiff_t>(from), length, std::byte{0});
    }
    bytes back(size);
    held.read(0, back);
    REQUIRE(back == model);
  }
}

TEST_CASE("a shard agrees with a map of what was put into it") {
  struct record {
    std::size_t size;
    std::uint32_t number;
    std::uint32_t version;
  };
  sealed_shard shard;
  std::map<std::pair<std::uint32_t, std::uint32_t>, record> model;
  std::set<std::pair<std::uint32_t, std::uint32_t>> ever;
  std::mt19937 random(2);
  for (std::uint32_t round = 0; round < 60000; ++round) {
    const std::size_t size = 1 + random() % (random() % 16 == 0 ? 40000 : 200);
    const bool grow = model.size() < (round < 30000 ? 400U : 20U);
    if (model.empty() || (grow && random() % 3 != 0)) {
      const tenancy at = inserted(shard, size, round);
      REQUIRE(ever.insert({at.slot, at.generation}).second);
      model[{at.slot, at.generation}] = {size, round, 0};
      continue;
    }
    auto chosen = std::next(model.begin(), static_cast<std::ptrdiff_t>(random() % model.size()));
    const tenancy at{chosen->first.first, chosen->first.second};
    if (!grow || random() % 2 == 0) {
      REQUIRE(shard.erase(at));
      REQUIRE_FALSE(shard.erase(at));
      REQUIRE_FALSE(shard.find(at).has_value());
      model.erase(chosen);
      continue;
    }
    const std::uint32_t version = chosen->second.version + 1;
    const record_state next{static_cast<std::uint32_t>(size), version, round % 2};
    REQUIRE(shard.replace(at, next, head_of(round), pattern(size, round)).has_value());
    REQUIRE(shard.find(at)->version == version);
    REQUIRE(shard.find(at)->epoch == round % 2);
    chosen->second = {size, round, version};
    if (round % 500 == 0) {
      for (const auto& [key, value] : model) REQUIRE(holds(shard, {key.first, key.second}, value.size, value.number));
    }
  }
  std::size_t met = 0;
  for (auto live = shard.next_live(0); live; live = shard.next_live(live->at.slot + 1)) {
    const auto& found = model.at({live->at.slot, live->at.generation});
    REQUIRE(live->state.size == found.size);
    REQUIRE(holds(shard, live->at, found.size, found.number));
    ++met;
  }
  CHECK(met == model.size());
  CHECK(shard.live_count() == met);
  shard.clear();
  CHECK(shard.live_count() == 0);
  CHECK_FALSE(shard.next_live(0).has_value());
}

TEST_CASE("a record takes at most 64 bytes over its own size, index included") {
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 15, 16, 29, 30, 31, 32, 33, 64, 100, 1000}) {
    CAPTURE(size);
    constexpr std::size_t count = 20000;
    sealed_shard shard;
    for (std::uint32_t each = 0; each < count; ++each) (void)inserted(shard, size, each);
    CHECK(shard.footprint() <= count * (size + 64));
    CHECK(shard.footprint() > count * size);
  }
}

TEST_CASE("what erased records leave is closed up, in a bounded part of the whole") {
  sealed_shard shard;
  constexpr std::size_t count = 20000;
  std::vector<tenancy> all;
  for (std::uint32_t each = 0; each < count; ++each) all.push_back(inserted(shard, 100, each));
  const std::uint64_t full = shard.footprint();
  for (std::size_t at = 0; at < count; at += 2) REQUIRE(shard.erase(all[at]));
  CHECK(shard.footprint() < full * 3 / 4);
  for (std::uint32_t at = 1; at < count; at += 2) REQUIRE(holds(shard, all[at], 100, at));
  for (std::size_t at = 1; at < count; at += 2) REQUIRE(shard.erase(all[at]));
  CHECK(shard.footprint() < full / 4);
}

TEST_CASE("a version is taken once, and 0 follows the last one only under another key") {
  sealed_shard shard;
  const tenancy at = inserted(shard, 8, 0);
  CHECK(shard.replace(at, {8, 2, 0}, head_of(1), pattern(8, 1)).error() == memory_error::busy);
  CHECK(shard.replace(at, {8, 0, 0}, head_of(1), pattern(8, 1)).error() == memory_error::busy);
  CHECK(holds(shard, at, 8, 0));
  CHECK(shard.replace(at, {8, 1, 0}, head_of(1), pattern(8, 1)).has_value());
  CHECK(holds(shard, at, 8, 1));
}

TEST_CASE("a slot of which every generation was used rests for good") {
  sealed_shard shard;
  REQUIRE(shard.append_free(0xffff'fffe).has_value());
  const tenancy last = inserted(shard, 8, 0);
  CHECK(last.slot == 0);
  CHECK(last.generation == 0xffff'ffff);
  REQUIRE(shard.erase(last));
  CHECK(inserted(shard, 8, 1).slot == 1);
}
