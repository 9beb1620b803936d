// canary_test.cc - a canary matches its own address and generation, and nothing else, in front of a secret and on either side.
#include "allocator/base/canary.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <set>
#include <utility>

#include "allocator/grouped/slot_canary.h"
#include "platform/multiply_wide.h"

using namespace lockfast::internal;

namespace {

constexpr canary_key key = {{0x0123456789abcdefU, 0xfedcba9876543210U, 0x0f1e2d3c4b5a6978U, 0x8796a5b4c3d2e1f0U}};

std::byte* address(std::uintptr_t at) { return reinterpret_cast<std::byte*>(at); }

std::pair<std::uint64_t, std::uint64_t> value(const canary& one) {
  std::array<std::uint64_t, 2> words;
  one.write(reinterpret_cast<std::byte*>(words.data()));
  return {words[0], words[1]};
}

}  // namespace

TEST_CASE("a canary matches what it wrote, and no longer when any bit is changed") {
  const canary one(key, address(0x7f345fe0), 1);
  std::array<std::byte, canary::size> bytes;
  one.write(bytes.data());
  CHECK(one.matches(bytes.data()));
  for (std::size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    CHECK_FALSE(one.matches(bytes.data()));
    bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
  }
}

TEST_CASE("canaries differ by address, by generation and by key") {
  std::set<std::pair<std::uint64_t, std::uint64_t>> seen;
  for (std::uintptr_t place = 0; place < 1000; ++place) {
    for (std::uint64_t generation = 0; generation < 10; ++generation) {
      seen.insert(value(canary(key, address(0x7f000fe0 + place * 8192), generation)));
    }
  }
  canary_key other = key;
  other.words[3] ^= 1;
  seen.insert(value(canary(other, address(0x7f000fe0), 0)));
  CHECK(seen.size() == 10001);
}

TEST_CASE("each word of the key counts in a canary, and so does each half") {
  const auto before = value(canary(key, address(0x7f000fe0), 1));
  for (std::size_t word = 0; word < 4; ++word) {
    canary_key other = key;
    other.words[word] ^= 1;
    const auto after = value(canary(other, address(0x7f000fe0), 1));
    CHECK(after.second != before.second);
    CHECK((after.first != before.first) == (word < 2));
  }
}

TEST_CASE("a gap is filled and verified in every byte") {
  const canary one(key, address(4096), 3);
  for (std::size_t gap = 0; gap < 40; ++gap) {
    std::array<std::byte, 41> bytes{};
    one.write_gap(bytes.data(), gap);
    CHECK(bytes[gap] == std::byte{0});
    CHECK(one.matches_gap(bytes.data(), gap));
    for (std::size_t at = 0; at < gap; ++at) {
      bytes[at] ^= std::byte{1};
      CHECK_FALSE(one.matches_gap(bytes.data(), gap));
      bytes[at] ^= std::byte{1};
    }
  }
}

TEST_CASE("words on either side of a secret match their own place, and no longer when any bit of them is changed") {
  constexpr std::size_t room = 64;
  for (std::size_t shift = 8; shift <= 24; shift += 8) {
    for (std::size_t size = 0; size + shift + slot_canary::word_size <= room; ++size) {
      alignas(16) std::array<std::byte, room> bytes{};
      std::byte* const begin = bytes.data();
      std::byte* const secret = begin + shift;
      const slot_canary one(key, secret, 7);
      one.surround(begin, secret, size, begin + room);
      for (std::size_t at = 0; at < size; ++at) CHECK(secret[at] == std::byte{0});
      CHECK(one.surrounds(begin, secret, size, begin + room));
      CHECK_FALSE(slot_canary(key, secret + 16, 7).surrounds(begin, secret, size, begin + room));
      CHECK_FALSE(slot_canary(key, secret, 8).surrounds(begin, secret, size, begin + room));
      for (std::size_t at = 0; at < room; ++at) {
        const bool in_secret = at >= shift && at < shift + size;
        bytes[at] ^= std::byte{0x20};
        CHECK(one.surrounds(begin, secret, size, begin + room) == in_secret);
        bytes[at] ^= std::byte{0x20};
      }
    }
  }
}

TEST_CASE("the word in front of a secret is not the one behind it, and both differ by address, generation and key") {
  std::set<std::uint64_t> seen;
  const auto note = [&](const canary_key& with, std::uintptr_t place, std::uint64_t generation) {
    std::uint64_t words[2];
    auto* const at = reinterpret_cast<std::byte*>(words);
    const std::uint64_t tenant = generation << 32;
    slot_canary(with, address(place), tenant).flank(at, at + slot_canary::word_size);
    CHECK(slot_canary(with, address(place), tenant).flanks(at, at + slot_canary::word_size));
    seen.insert(words[0]);
    seen.insert(words[1]);
  };
  for (std::uintptr_t place = 0; place < 100; ++place) {
    for (std::uint64_t generation = 0; generation < 10; ++generation) note(key, 0x7f000008 + place * 48, generation);
  }
  for (const std::size_t word : {std::size_t{0}, std::size_t{1}}) {
    canary_key other = key;
    other.words[word] ^= std::uint64_t{1} << 63;
    note(other, 0x7f000008, 0);
  }
  CHECK(seen.size() == 2004);
}

TEST_CASE("a product has 128 bits") {
  using lockfast::platform::wide_product;
  const auto check = [](std::uint64_t a, std::uint64_t b, std::uint64_t high, std::uint64_t low) {
    for (const wide_product& each : {wide_product(a, b), wide_product(b, a)}) {
      CHECK(each.high == high);
      CHECK(each.low == low);
      CHECK(each.folded() == (high ^ low));
    }
  };
  constexpr std::uint64_t most = ~std::uint64_t{0};
  check(0, most, 0, 0);
  check(1, 0x0123456789abcdefU, 0, 0x0123456789abcdefU);
  check(most, most, most - 1, 1);  // (2^64 - 1)^2 = 2^128 - 2^65 + 1
  check(std::uint64_t{1} << 63, 6, 3, 0);
  check(0xfedcba9876543210U, 0x0123456789abcdefU, 0x0121fa00ad77d742U, 0x2236d88fe5618cf0U);
}
