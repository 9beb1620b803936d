// random_test.cc - choices lie below their bound, reach all of it, and start anew after a reseed.
#include "allocator/base/random.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

using lockfast::internal::random_choice;

namespace {

constexpr std::size_t words_at_once = 28;  // of a refill

}  // namespace

TEST_CASE("every number below the bound is chosen, and about as often as the others") {
  random_choice choice;
  std::array<int, 7> counts{};
  for (int round = 0; round < 70000; ++round) ++counts[choice.below(counts.size())];
  for (const int count : counts) {
    CHECK(count > 9000);
    CHECK(count < 11000);
  }
}

TEST_CASE("a bound of one leaves no choice") {
  random_choice choice;
  for (int round = 0; round < 100; ++round) CHECK(choice.below(1) == 0);
}

TEST_CASE("two generators, and one before and after a reseed, choose differently") {
  random_choice first;
  random_choice second;
  const auto sequence = [](random_choice& from) {
    std::vector<std::size_t> made;
    for (int round = 0; round < 32; ++round) made.push_back(from.below(65536));
    return made;
  };
  random_choice copy = first;
  const auto before = sequence(first);
  CHECK(before != sequence(second));
  random_choice repeated = first;
  const auto parent = sequence(first);
  repeated.reseed();
  CHECK(parent != sequence(repeated));
  CHECK(before != sequence(copy));
  // Where no choice is left, too: what comes next is made of another key.
  random_choice spent;
  for (std::size_t count = 0; count < words_at_once; ++count) (void)spent.word();
  random_choice child = spent;
  child.reseed();
  CHECK(sequence(spent) != sequence(child));
}

TEST_CASE("what is chosen next tells nothing of the key that later choices are made of") {
  random_choice choice;
  std::vector<std::uint64_t> chosen;
  for (std::size_t count = 0; count < words_at_once; ++count) chosen.push_back(choice.word());
  std::array<std::uint64_t, sizeof choice / sizeof(std::uint64_t)> held;
  std::memcpy(held.data(), &choice, held.size() * sizeof(std::uint64_t));
  // Each once: where it was chosen from, and not in the key.
  for (const std::uint64_t word : chosen) CHECK(std::count(held.begin(), held.end(), word) == 1);
}
