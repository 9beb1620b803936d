// canary_test.cc - a canary matches its own address and generation, and nothing else.
#include "allocator/canary.h"

#include <doctest/doctest.h>

#include <array>
#include <cstdint>
#include <set>
#include <utility>

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
  const canary one(key, address(0x7f0012345fe0), 1);
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
      seen.insert(value(canary(key, address(0x7f0000000fe0 + place * 8192), generation)));
    }
  }
  canary_key other = key;
  other.words[3] ^= 1;
  seen.insert(value(canary(other, address(0x7f0000000fe0), 0)));
  CHECK(seen.size() == 10001);
}

TEST_CASE("a gap is filled and verified to its last byte") {
  const canary one(key, address(4096), 3);
  for (std::size_t gap = 0; gap < 40; ++gap) {
    std::array<std::byte, 41> bytes{};
    one.write_gap(bytes.data(), gap);
    CHECK(bytes[gap] == std::byte{0});
    CHECK(one.matches_gap(bytes.data(), gap));
    if (gap == 0) continue;
    bytes[gap - 1] ^= std::byte{1};
    CHECK_FALSE(one.matches_gap(bytes.data(), gap));
  }
}
