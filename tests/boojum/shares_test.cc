// shares_test.cc - what lies at rest: shares that differ after each re-mix, that say nothing of the secret, that are far apart.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <set>

#include "boojum/places.h"
#include "boojum/share_probe.h"
#include "boojum/split/share_content.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/sanitized.h"

using namespace lockfast;
using internal::add_mask;
using internal::fresh_prekey;
using internal::mixing_room;
using internal::seed_size;
using internal::share_content;
using internal::share_probe;
using internal::split_secret;

namespace {

std::shared_ptr<split_secret> split(const buffer<std::byte>& secret, const non_contiguous_memory::options& chosen) {
  const auto view = secret.read();
  auto made = split_secret::split(view.span(), chosen);
  REQUIRE(made);
  return *made;
}

bool contains(std::span<const std::byte> whole, std::span<const std::byte> part) {
  return std::search(whole.begin(), whole.end(), part.begin(), part.end()) != whole.end();
}

// Bytes that are the same at the same place: by chance, one in 256.
std::size_t same_bytes(std::span<const std::byte> a, std::span<const std::byte> b) {
  std::size_t same = 0;
  for (std::size_t at = 0; at < a.size(); ++at) same += a[at] == b[at];
  return same;
}

void check_all_changed(const std::vector<std::vector<std::byte>>& before, const std::vector<std::vector<std::byte>>& after) {
  REQUIRE(before.size() == after.size());
  for (std::size_t which = 0; which < before.size(); ++which) {
    CAPTURE(which);
    REQUIRE(before[which].size() == after[which].size());
    CHECK(same_bytes(before[which], after[which]) < 12 + before[which].size() / 64);
  }
}

// Shares that a test compares or changes are not to be re-mixed meanwhile.
struct no_refresher {
  no_refresher() { refresher::stop(); }
  ~no_refresher() { CHECK(refresher::start()); }
};

}  // namespace

TEST_CASE("every share differs after each refresh and after each unlock, unless it is to be on demand") {
  const no_refresher alone;
  const own_directory files;
  for (const auto& kind : split_kinds(files.path())) {
    const auto value = buffer<std::byte>::random(64);
    const auto held = split(*value, kind);
    auto before = share_probe::copies(*held);
    for (const refresh_target where : {refresh_target::keep, refresh_target::change, refresh_target::keep}) {
      REQUIRE(held->refresh(where));
      auto after = share_probe::copies(*held);
      check_all_changed(before, after);
      before = std::move(after);
    }
    REQUIRE(held->join());
    const auto after = share_probe::copies(*held);
    if (kind.remix == remix_policy::on_unlock) {
      check_all_changed(before, after);
    } else {
      CHECK(before == after);
    }
    CHECK(*held->join() == *value);
  }
}

TEST_CASE("no share is or contains the secret, a part of it, or a share of another secret of the same value") {
  const own_directory files;
  for (const auto& kind : split_kinds(files.path())) {
    auto value = buffer<std::byte>::random(64);
    const auto first = share_probe::copies(*split(*value, kind));
    const auto second = share_probe::copies(*split(*value, kind));
    check_all_changed(first, second);
    const auto view = value->read();
    for (const auto& share : first) {
      for (std::size_t at = 0; at + 8 <= view.size(); at += 8) CHECK_FALSE(contains(share, view.span().subspan(at, 8)));
    }
  }
}

TEST_CASE("the last share is no constant behind the masks: it is random over many splits of zeros") {
  std::array<unsigned, 256> seen{};
  const auto zeros = buffer<std::byte>::zeroed(32);
  for (int round = 0; round < 500; ++round) {
    const auto shares = share_probe::copies(*split(*zeros, {.prekey = 32}));
    for (const std::byte byte : shares.back()) ++seen[std::to_integer<unsigned>(byte)];
  }
  // 500 * 64 bytes: 125 of each value, with a deviation of 11.
  CHECK(std::ranges::min(seen) > 60);
  CHECK(std::ranges::max(seen) < 200);
}

TEST_CASE("shares in RAM are isolated secrets without access, more than a page apart") {
  const no_refresher alone;
  const auto value = buffer<std::byte>::random(32);
  for (const std::size_t prekey : {32U, 4096U, 65536U}) {
    const auto held = split(*value, {.shares = std::vector(5, share_place::ram), .prekey = prekey});
    auto at = share_probe::addresses(*held);
    REQUIRE(at.size() == 5);
    for (const std::uintptr_t each : at) {
      lockfast_receipt receipt;
      REQUIRE(lockfast_describe(reinterpret_cast<void*>(each), &receipt) == 0);
      CHECK(receipt.placement == LOCKFAST_ISOLATED);
      CHECK(receipt.access == LOCKFAST_NOACCESS);
      CHECK(traps_on_read(reinterpret_cast<void*>(each)));
      // A whole page between the end of one and the start of the next.
      for (const std::uintptr_t other : at) {
        if (other > each) CHECK(other - each > page_size() + receipt.size);
      }
    }
  }
}

TEST_CASE("the distance between two shares is left to chance") {
  for (const std::size_t size : {32U, 200000U}) {
    CAPTURE(size);
    const auto value = buffer<std::byte>::random(size);
    std::set<std::uintptr_t> distances;
    for (int round = 0; round < 40; ++round) {
      const auto at = share_probe::addresses(*split(*value, {.prekey = 32}));
      distances.insert(at[1] - at[0]);
    }
    CHECK(distances.size() > 15);
  }
}

TEST_CASE("a refresh leaves shares where they are, or moves every one, by choice") {
  const no_refresher alone;
  const auto value = buffer<std::byte>::random(32);
  const auto held = split(*value, {.shares = std::vector(3, share_place::ram), .prekey = 64});
  const auto before = share_probe::addresses(*held);
  REQUIRE(held->refresh(refresh_target::keep));
  CHECK(share_probe::addresses(*held) == before);
  REQUIRE(held->refresh(refresh_target::change));
  const auto after = share_probe::addresses(*held);
  for (std::size_t which = 0; which < before.size(); ++which) {
    CHECK(after[which] != before[which]);
    CHECK(traps_on_read(reinterpret_cast<void*>(before[which])));
  }
  CHECK(*held->join() == *value);
}

TEST_CASE("every single bit of a share in RAM that is flipped is damage, until it is flipped back") {
  const no_refresher alone;
  const auto value = buffer<std::byte>::random(20);
  const auto held = split(*value, {.prekey = 32, .remix = remix_policy::on_demand});
  for (const std::uintptr_t each : share_probe::addresses(*held)) {
    auto* const share = reinterpret_cast<std::byte*>(each);
    for (std::size_t bit = 0; bit < 8 * lockfast_size(share); ++bit) {
      const auto flip = [&] {
        REQUIRE(lockfast_protect(share, LOCKFAST_READWRITE) == 0);
        share[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
        REQUIRE(lockfast_protect(share, LOCKFAST_NOACCESS) == 0);
      };
      flip();
      const auto joined = held->join();
      REQUIRE_FALSE(joined);
      CHECK(joined.error() == memory_error::damaged);
      flip();
    }
  }
  CHECK(*held->join() == *value);
}

TEST_CASE("one share of before among later ones is damage; all of before together are the secret again") {
  const no_refresher alone;
  const auto value = buffer<std::byte>::random(20);
  const auto held = split(*value, {.shares = {share_place::ram, share_place::ram, share_place::ram}, .remix = remix_policy::on_demand});
  const auto addresses = share_probe::addresses(*held);
  const auto put = [&](std::size_t which, const std::vector<std::byte>& bytes) {
    auto* const share = reinterpret_cast<std::byte*>(addresses[which]);
    REQUIRE(lockfast_protect(share, LOCKFAST_READWRITE) == 0);
    std::ranges::copy(bytes, share);
    REQUIRE(lockfast_protect(share, LOCKFAST_NOACCESS) == 0);
  };
  const auto before = share_probe::copies(*held);
  REQUIRE(held->refresh(refresh_target::keep));
  REQUIRE(share_probe::addresses(*held) == addresses);
  const auto after = share_probe::copies(*held);
  for (std::size_t which = 0; which < addresses.size(); ++which) {
    CAPTURE(which);
    put(which, before[which]);
    const auto joined = held->join();
    REQUIRE_FALSE(joined);
    CHECK(joined.error() == memory_error::damaged);
    put(which, after[which]);
  }
  CHECK(*held->join() == *value);
  for (std::size_t which = 0; which < addresses.size(); ++which) put(which, before[which]);
  CHECK(*held->join() == *value);
}

TEST_CASE("a prekey that was changed is another in every part, and can be brought back") {
  const no_refresher alone;
  std::array<std::byte, mixing_room::size> room = {};
  const std::array<std::byte, seed_size> seed = {std::byte{7}};
  const std::vector<std::byte> before(1000, std::byte{0x55});
  const auto masks_of = [&](std::span<const std::byte> prekey) {
    std::vector<std::byte> masks(64);
    REQUIRE(add_mask(prekey, 1, masks, mixing_room(room)));
    return masks;
  };
  std::vector<std::byte> masks(64);
  const share_content next(fresh_prekey{.seed = seed, .size = before.size(), .index = 1, .masks = masks, .room = mixing_room(room)});
  auto place = before;
  REQUIRE(next.change(place));
  CHECK(masks == masks_of(place));
  for (std::size_t at = 0; at < place.size(); at += 8) CHECK(same_bytes(std::span(place).subspan(at, 8), std::span(before).first(8)) < 8);
  next.change_back(place);
  CHECK(place == before);
}

TEST_CASE("a million refreshes leave the value intact") {
  constexpr int rounds = under_sanitizer ? 50'000 : 1'000'000;
  const auto value = buffer<std::byte>::random(32);
  const auto held = split(*value, {.prekey = 32});
  int done = 0;
  for (int round = 0; round < rounds; ++round) done += held->refresh(refresh_target::keep).has_value();
  CHECK(done == rounds);
  CHECK(*held->join() == *value);
}

TEST_CASE("a mask depends on the index of its share, and a tag on the secret's size and its last part of a block") {
  alignas(mixing_room::alignment) std::array<std::byte, mixing_room::size> bytes = {};
  const mixing_room room(bytes);
  const std::array<std::byte, 64> prekey = {std::byte{1}};
  for (const std::size_t size : {40U, 100U}) {
    std::vector<std::byte> first(size);
    std::vector<std::byte> second(size);
    REQUIRE(add_mask(prekey, 0, first, room));
    REQUIRE(add_mask(prekey, 1, second, room));
    CHECK(first != second);
  }
  const std::array<std::byte, internal::mac_key_size> key = {std::byte{2}};
  const auto tag = [&](std::vector<std::byte> secret) {
    std::array<std::byte, internal::mac_size> made = {};
    REQUIRE(internal::tag_of(key, secret, made, room));
    return made;
  };
  CHECK(tag({std::byte{3}}) != tag({std::byte{3}, std::byte{0}}));
  CHECK(tag({std::byte{3}}) != tag({std::byte{4}}));
}

TEST_CASE("a secret whose shares are damaged leaves no byte where it was to be") {
  const no_refresher alone;
  const auto value = buffer<std::byte>::random(40);
  const auto held = split(*value, {.prekey = 32, .remix = remix_policy::on_demand});
  auto* const share = reinterpret_cast<std::byte*>(share_probe::addresses(*held).back());
  REQUIRE(lockfast_protect(share, LOCKFAST_READWRITE) == 0);
  share[0] ^= std::byte{1};
  REQUIRE(lockfast_protect(share, LOCKFAST_NOACCESS) == 0);
  std::array<std::byte, 40> out = {};
  const auto joined = held->join_into(out);
  REQUIRE_FALSE(joined);
  CHECK(joined.error() == memory_error::damaged);
  CHECK(std::ranges::count(out, std::byte{0}) == 40);
}

namespace {

constexpr std::byte paint = std::byte{0xa5};

[[gnu::noinline]] void paint_stack() {
  std::byte area[16384];
  std::memset(area, std::to_integer<int>(paint), sizeof area);
  __asm__ volatile("" : : "r"(area) : "memory");
}

// Of what is below the frame of a call, and within the reach of libcrypto's.
[[gnu::noinline]] std::size_t painted_left() {
  std::byte area[8192];
  __asm__ volatile("" : "=m"(area));
  return static_cast<std::size_t>(std::count(area + sizeof area - 5120, area + sizeof area - 2048, paint));
}

}  // namespace

TEST_CASE("the stack is wiped where the frames of a join and of a refresh were, and libcrypto's below them") {
  if (sanitized) return;
  const auto value = buffer<std::byte>::random(40);
  const auto held = split(*value, {});
  std::array<std::byte, 40> out = {};
  paint_stack();
  REQUIRE(painted_left() == 3072);
  const auto joined = held->join_into(out);
  const std::size_t after_join = painted_left();
  paint_stack();
  const auto refreshed = held->refresh(refresh_target::keep);
  const std::size_t after_refresh = painted_left();
  REQUIRE((joined && refreshed));
  CHECK(after_join == 0);
  CHECK(after_refresh == 0);
}
