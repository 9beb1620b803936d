// nonce_test.cc - no two nonces are the same, whichever thread draws them.
#include "boojum/crypto/nonce.h"

#include <doctest/doctest.h>

#include <array>
#include <set>
#include <thread>
#include <vector>

using lockfast::internal::fresh_nonce;
using lockfast::internal::fresh_nonces;
using lockfast::internal::nonce;

TEST_CASE("threads never draw the same nonce") {
  constexpr std::size_t count = 5000;
  std::array<std::vector<nonce>, 4> drawn;
  std::vector<std::thread> threads;
  for (std::vector<nonce>& mine : drawn) {
    threads.emplace_back([&mine] {
      while (mine.size() < count) {
        mine.push_back(*fresh_nonce());
        std::array<nonce, 9> several;
        if (fresh_nonces(several) == 0) mine.insert(mine.end(), several.begin(), several.end());
      }
    });
  }
  for (std::thread& each : threads) each.join();
  std::set<nonce> all;
  for (const std::vector<nonce>& mine : drawn) all.insert(mine.begin(), mine.end());
  CHECK(all.size() == drawn.size() * count);
}

TEST_CASE("every byte of a nonce varies") {
  std::array<std::set<std::byte>, lockfast::internal::nonce_size> seen;
  for (int round = 0; round < 1000; ++round) {
    const nonce drawn = *fresh_nonce();
    for (std::size_t at = 0; at < drawn.size(); ++at) seen[at].insert(drawn[at]);
  }
  for (const auto& values : seen) CHECK(values.size() > 200);
}
