// threads_test.cc - unlock, refresh, copy and the refresher at once; a thread at work while another forks.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <atomic>
#include <thread>

#include "boojum/places.h"
#include "support/child.h"

using namespace lockfast;
using namespace std::chrono_literals;

namespace {

constexpr int rounds = under_sanitizer ? 20 : 100;

// The refresher at a pace for tests, and as it was afterwards.
struct quick_refresher {
  quick_refresher() {
    CHECK(refresher::start());
    refresher::period(1ms);
  }
  ~quick_refresher() { refresher::period(refresher::default_period); }
};

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
            case 2: wrong += !held->refresh(address::change); break;
            default: {
              const auto other = held->copy();
              const auto whole = other ? other->unlock() : std::unexpected(memory_error::refused);
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
        const auto whole = other ? other->unlock() : std::unexpected(memory_error::refused);
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
        const auto whole = updated ? updated->unlock() : std::unexpected(memory_error::refused);
        wrong += !whole || !(*whole == *value);
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(wrong == 0);
}

TEST_CASE("a fork while other threads unlock and refresh does no harm on either side") {
  const own_directory files;
  const quick_refresher quick;
  const auto value = buffer<std::byte>::random(32);
  const auto held = non_contiguous_memory::create(
      *value->copy(), {.shares = {place::ram, place::file}, .prekey = 32, .directory = files.path()});
  const auto in_ram = non_contiguous_memory::create(*value->copy(), {.prekey = 32});
  REQUIRE(held);
  std::atomic<bool> ended = false;
  std::atomic<int> wrong = 0;
  std::thread other([&] {
    while (!ended) {
      const auto whole = held->unlock();
      const auto second = in_ram->unlock();
      wrong += !whole || !(*whole == *value) || !second || !(*second == *value);
    }
  });
  for (int round = 0; round < (under_sanitizer ? 10 : 50); ++round) {
    const auto end = in_child([&] {
      const auto whole = held->unlock();
      promised(!whole && whole.error() == memory_error::unavailable, "the child has no access to the parent's file");
      const auto second = in_ram->unlock();
      promised(!second && second.error() == memory_error::unavailable, "nor to the parent's memory");
      const auto own = non_contiguous_memory::create(*buffer<std::byte>::zeroed(8), {.prekey = 32});
      promised(own && own->unlock(), "it makes and unlocks its own");
    });
    CAPTURE(end.text);
    CHECK(end.clean());
  }
  ended = true;
  other.join();
  CHECK(wrong == 0);
}
