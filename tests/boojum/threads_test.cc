// threads_test.cc - unlock, refresh, copy and the refresher at once.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <atomic>
#include <thread>

#include "boojum/places.h"

using namespace lockfast;

namespace {

constexpr int rounds = under_sanitizer ? 20 : 100;

}  // namespace

TEST_CASE("unlock, refresh and copy from many threads, beside the refresher, never give a wrong secret") {
  const own_directory files;
  const quick_refresher quick;
  for (const auto& kind : split_kinds(files.path())) {
    if (kind.prekey > 1000) continue;
    const auto value = buffer<std::byte>::random(80);
    const auto held = non_contiguous_memory::create(*value->copy(), kind);
    REQUIRE(held);
    std::atomic<int> wrong = 0;
    std::vector<std::thread> threads;
    for (int each = 0; each < 4; ++each) {
      threads.emplace_back([&, each] {
        for (int round = 0; round < rounds; ++round) {
          switch (each) {
            case 0: {
              const auto whole = held->unlock();
              wrong += !whole || !(*whole == *value);
              break;
            }
            case 1: wrong += !held->refresh(); break;
            case 2: wrong += !held->refresh(refresh_target::change); break;
            default: {
              const auto other = held->copy();
              const auto whole = other ? other->unlock() : std::unexpected(memory_error::denied);
              wrong += !whole || !(*whole == *value);
            }
          }
        }
      });
    }
    for (auto& thread : threads) thread.join();
    CHECK(wrong == 0);
  }
}

TEST_CASE("sealed files are opened and copied by many threads") {
  const own_directory files;
  const auto value = buffer<std::byte>::random(500);
  const auto held = file_memory::create(*value->copy(), {.directory = files.path(), .prekey = 64});
  REQUIRE(held);
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds / 4; ++round) {
        const auto other = held->copy();
        const auto whole = other ? other->unlock() : std::unexpected(memory_error::denied);
        wrong += !whole || !(*whole == *value);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("secrets are made, updated and dropped by each thread while the refresher works") {
  const quick_refresher quick;
  std::atomic<int> wrong = 0;
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        const auto value = buffer<std::byte>::random(32);
        auto held = non_contiguous_memory::create(*buffer<std::byte>::random(16), {.prekey = 32});
        if (!held) {
          ++wrong;
          continue;
        }
        auto updated = std::move(*held).update(*value->copy());
        const auto whole = updated ? updated->unlock() : std::unexpected(memory_error::denied);
        wrong += !whole || !(*whole == *value);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}
