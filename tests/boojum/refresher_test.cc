// refresher_test.cc - the thread that refreshes what rests: when it runs, what it changes, how it stops.
#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>

#include <thread>

#include "boojum/places.h"
#include "boojum/share_probe.h"

using namespace lockfast;
using namespace std::chrono_literals;
using internal::share_probe;
using internal::split_secret;

namespace {

void wait_for_rounds(std::uint64_t count) {
  const auto goal = refresher::rounds() + count;
  for (int wait = 0; wait < 10000 && refresher::rounds() < goal; ++wait) std::this_thread::sleep_for(1ms);
  REQUIRE(refresher::rounds() >= goal);
}

std::shared_ptr<split_secret> split(const buffer<std::byte>& value, const non_contiguous_memory::options& chosen) {
  const auto view = value.read();
  auto made = split_secret::split(view.span(), chosen);
  REQUIRE(made);
  return *made;
}

}  // namespace

TEST_CASE("a secret that nobody touches is mixed anew by the refresher, and keeps its value") {
  const own_directory files;
  const auto value = buffer<std::byte>::random(32);
  const auto in_ram = split(*value, {.prekey = 64});
  const auto mixed = split(*value, {.shares = {place::ram, place::file}, .prekey = 64, .directory = files.path()});
  CHECK(refresher::running());
  refresher::period(1ms);
  const auto ram_before = share_probe::copies(*in_ram);
  const auto mixed_before = share_probe::copies(*mixed);
  wait_for_rounds(refresher::file_periods + 1);
  refresher::stop();
  CHECK(share_probe::copies(*in_ram) != ram_before);
  CHECK(share_probe::copies(*mixed) != mixed_before);
  CHECK(*in_ram->join() == *value);
  CHECK(*mixed->join() == *value);
  refresher::period(refresher::default_period);
}

TEST_CASE("a stopped refresher changes nothing and stays stopped until it is started") {
  refresher::stop();
  refresher::stop();
  CHECK_FALSE(refresher::running());
  const auto value = buffer<std::byte>::random(32);
  const auto held = split(*value, {.prekey = 64});
  CHECK_FALSE(refresher::running());
  const auto before = share_probe::copies(*held);
  std::this_thread::sleep_for(20ms);
  CHECK(share_probe::copies(*held) == before);
  refresher::period(1ms);
  CHECK(refresher::start());
  CHECK(refresher::start());
  CHECK(refresher::running());
  wait_for_rounds(2);
  CHECK(share_probe::copies(*held) != before);
  refresher::period(refresher::default_period);
}

TEST_CASE("the shortest period is a millisecond") {
  refresher::period(0ms);
  CHECK(refresher::period() == 1ms);
  refresher::period(refresher::default_period);
}

TEST_CASE("the refresher does not keep a secret alive") {
  CHECK(refresher::start());
  std::weak_ptr<split_secret> watched;
  {
    const auto value = buffer<std::byte>::random(32);
    const auto held = split(*value, {.prekey = 64});
    watched = held;
  }
  for (int wait = 0; wait < 1000 && !watched.expired(); ++wait) std::this_thread::sleep_for(1ms);
  CHECK(watched.expired());
}

TEST_CASE("the refresher may be stopped and started by many threads") {
  std::vector<std::thread> threads;
  for (int each = 0; each < 4; ++each) {
    threads.emplace_back([each] {
      for (int round = 0; round < 50; ++round) {
        if (each % 2 == 0) {
          refresher::stop();
        } else {
          (void)refresher::start();
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(refresher::start());
  CHECK(refresher::running());
}
