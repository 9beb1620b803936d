// key_ring_test.cc - what a ring gives while its keys are sealed, and afterwards.
#include "boojum/vault/key_ring.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <chrono>

using lockfast::memory_error;
using lockfast::internal::key_ring;
using lockfast::internal::key_size;
using lockfast::internal::key_view;
using lockfast::internal::resting_key;

namespace {

constexpr std::array<std::byte, key_size> right_key = {std::byte{1}};
constexpr std::array<std::byte, key_size> wrong_key = {std::byte{2}};

std::array<std::byte, key_size> bytes_of(const resting_key& key) {
  std::array<std::byte, key_size> out;
  std::ranges::copy((*key.open())->view(), out.begin());
  return out;
}

template <class Result>
bool is_refused(const Result& result, memory_error why) {
  return !result && result.error() == why;
}

}  // namespace

TEST_CASE("a ring whose keys are sealed gives none and makes none, until the right key opens them again") {
  key_ring ring(std::chrono::milliseconds(0));
  const auto before = bytes_of(*ring.now()->by_epoch[0]);
  REQUIRE(ring.seal_under(key_view(right_key)));
  CHECK(is_refused(ring.now(), memory_error::locked));
  CHECK(is_refused(ring.begin_turn(), memory_error::locked));
  CHECK(is_refused(ring.open_under(key_view(wrong_key)), memory_error::wrong_passphrase));
  CHECK(is_refused(ring.now(), memory_error::locked));
  REQUIRE(ring.open_under(key_view(right_key)));
  CHECK(bytes_of(*ring.now()->by_epoch[0]) == before);
  CHECK(ring.now()->rotation == 0);
}

TEST_CASE("both keys of a turn under way are sealed, and come back each in its place") {
  key_ring ring(std::chrono::milliseconds(0));
  const auto first = bytes_of(*ring.now()->by_epoch[0]);
  REQUIRE(ring.begin_turn());
  const auto second = bytes_of(*ring.now()->by_epoch[1]);
  REQUIRE(ring.seal_under(key_view(right_key)));
  REQUIRE(ring.open_under(key_view(right_key)));
  const auto now = *ring.now();
  CHECK(bytes_of(*now.by_epoch[0]) == first);
  CHECK(bytes_of(*now.by_epoch[1]) == second);
  CHECK(now.current == 1);
}
