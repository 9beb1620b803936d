// resting_key_test.cc - who shares an opened key, and who gets one of his own.
#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <memory>
#include <thread>
#include <vector>

#include "boojum/split/resting_key.h"
#include "support/patience.h"

using lockfast::internal::key_size;
using lockfast::internal::resting_key;

namespace {

std::array<std::byte, key_size> bytes_of(const resting_key::opened& key) {
  std::array<std::byte, key_size> out;
  std::ranges::copy(key->view(), out.begin());
  return out;
}

}  // namespace

TEST_CASE("calls that overlap share an opened key, and it goes with the last of them") {
  const auto key = *resting_key::fresh();
  auto first = *key->open();
  auto second = *key->open();
  // Unless this thread was held up for longer than a key is shared.
  if (first == second) CHECK(first.use_count() == 2);
  const auto bytes = bytes_of(first);
  CHECK(bytes != std::array<std::byte, key_size>());
  const std::weak_ptr watched = first;
  first = nullptr;
  second = nullptr;
  CHECK(watched.expired());
  CHECK(bytes_of(*key->open()) == bytes);
  CHECK(bytes_of(*(*resting_key::fresh())->open()) != bytes);
}

TEST_CASE("a call that comes late opens the key anew, though it is still open") {
  const auto key = *resting_key::fresh();
  const auto first = *key->open();
  std::this_thread::sleep_for(resting_key::max_opened);
  const auto late = *key->open();
  CHECK(late != first);
  CHECK(bytes_of(late) == bytes_of(first));
}

TEST_CASE("a leased key stays open when its call has ended, and goes at its time") {
  const auto key = *resting_key::fresh(resting_key::max_opened);
  std::weak_ptr<const lockfast::internal::opened_key> watched;
  // Unless this thread was held up for as long as a lease lasts.
  for (int attempt = 0; attempt < 100 && watched.expired(); ++attempt) watched = *key->open();
  CHECK_FALSE(watched.expired());
  for (unsigned wait = 0; wait < patience(1000) && !watched.expired(); ++wait) std::this_thread::sleep_for(std::chrono::milliseconds(10));
  CHECK(watched.expired());
}

TEST_CASE("a lease ends with its key, and when it is ended") {
  for (const bool destroyed : {false, true}) {
    auto key = *resting_key::fresh(resting_key::max_opened);
    const std::weak_ptr watched = *key->open();
    if (destroyed) {
      key = nullptr;
    } else {
      key->end_lease();
    }
    CHECK(watched.expired());
  }
}

TEST_CASE("a refresher that stops ends every lease, and without one there is none") {
  const auto key = *resting_key::fresh(resting_key::max_opened);
  std::weak_ptr watched = *key->open();
  lockfast::refresher::stop();
  CHECK(watched.expired());
  watched = *key->open();
  CHECK(watched.expired());
  CHECK(lockfast::refresher::start().has_value());
}

TEST_CASE("whatever is opened by many threads at once is the key") {
  const auto key = *resting_key::fresh();
  const auto bytes = bytes_of(*key->open());
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&] {
      for (int round = 0; round < 300; ++round) {
        const auto opened = key->open();
        wrong += !opened || bytes_of(*opened) != bytes;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(wrong == 0);
}
