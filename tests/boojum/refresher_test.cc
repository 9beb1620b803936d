// refresher_test.cc - the thread that refreshes what rests: when it runs, what it changes, how it stops.
#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>
#include <lockfast/passphrase.hpp>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>
#include <thread>

#include "boojum/memory/refresher.h"
#include "boojum/places.h"
#include "boojum/rest_probe.h"
#include "boojum/share_probe.h"
#include "support/child.h"

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

// Notes that it was called.
class lapsing final : public internal::refreshable {
 public:
  void round() override {}
  void lapse() override { called_ = true; }
  [[nodiscard]] bool called() const { return called_; }
  [[nodiscard]] bool is_called_soon() const {
    for (int wait = 0; wait < 10000 && !called_; ++wait) std::this_thread::sleep_for(1ms);
    return called_;
  }

 private:
  std::atomic<bool> called_ = false;
};

// How often the threads but this one have waited for something, by Linux's word.
std::uint64_t waits_of_others() {
  const auto own = std::filesystem::read_symlink("/proc/thread-self").filename();
  std::uint64_t sum = 0;
  for (const auto& each : std::filesystem::directory_iterator("/proc/self/task")) {
    if (each.path().filename() == own) continue;
    std::ifstream status(each.path() / "status");
    for (std::string line; std::getline(status, line);) {
      if (line.starts_with("voluntary_ctxt_switches:")) sum += std::stoull(line.substr(line.find(':') + 1));
    }
  }
  return sum;
}

}  // namespace

TEST_CASE("what lapses first is called first, whichever was told first") {
  CHECK(refresher::start());
  refresher::period(1h);
  const auto late = std::make_shared<lapsing>();
  const auto early = std::make_shared<lapsing>();
  const auto now = std::chrono::steady_clock::now();
  REQUIRE(internal::lapse_at(now + 2h, late));
  std::this_thread::sleep_for(20ms);  // until the thread waits for the round
  REQUIRE(internal::lapse_at(now + 30min, late));
  std::this_thread::sleep_for(20ms);
  REQUIRE(internal::lapse_at(now + 40ms, early));
  CHECK(early->is_called_soon());
  CHECK_FALSE(late->called());
  refresher::stop();
  CHECK(late->called());
  CHECK(refresher::start());
  refresher::period(refresher::default_period);
}

TEST_CASE("a new secret does not wake the refresher") {
  if (!std::filesystem::exists("/proc/thread-self")) {
    MESSAGE("skipped: this system does not tell how often a thread has waited");
    return;
  }
  CHECK(refresher::start());
  refresher::period(1h);
  const auto value = buffer<std::byte>::random(32);
  const auto first = split(*value, {.prekey = 64});
  std::this_thread::sleep_for(50ms);  // until the thread waits
  const std::uint64_t before = waits_of_others();
  for (int count = 0; count < 30; ++count) {
    (void)split(*value, {.prekey = 64});
    std::this_thread::sleep_for(1ms);
  }
  CHECK(waits_of_others() - before < 10);
  refresher::period(refresher::default_period);
}

TEST_CASE("a secret that nobody touches is mixed anew by the refresher, and keeps its value") {
  const own_directory files;
  const auto value = buffer<std::byte>::random(32);
  const auto in_ram = split(*value, {.prekey = 64});
  const auto mixed = split(*value, {.shares = {share_place::ram, share_place::file}, .prekey = 64, .directory = files.path()});
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

TEST_CASE("the longest period is a hundred years, and lets no round begin") {
  CHECK(refresher::start());
  refresher::period(std::chrono::milliseconds::max());
  CHECK(refresher::period() == std::chrono::years(100));
  std::this_thread::sleep_for(5ms);  // a round that had begun
  const auto before = refresher::rounds();
  std::this_thread::sleep_for(20ms);
  CHECK(refresher::rounds() <= before + 1);
  refresher::period(refresher::default_period);
}

TEST_CASE("whoever starts the refresher again does not wait for the round that is its last") {
  const auto end = in_child([] {
    const own_directory files;
    internal::signal_once in_round;
    internal::signal_once enough;
    const auto probe = internal::rest_probe::join(
        [&] {
          in_round.give();
          enough.wait();
        },
        [] {});
    const auto held = non_contiguous_memory::create(
        *buffer<std::byte>::random(32), {.shares = {share_place::ram, share_place::file}, .prekey = 32, .directory = files.path()});
    prove(probe != nullptr && held.has_value(), "a secret with a file");
    refresher::period(1ms);
    prove(refresher::start().has_value(), "a refresher");
    in_round.wait();
    std::thread stopping(refresher::stop);
    while (refresher::running()) std::this_thread::sleep_for(1ms);
    promised(refresher::start().has_value() && refresher::running(), "it is started");
    promised(held->refresh(refresh_target::change).has_value(), "a secret moves");
    stopping.join();
    const auto before = refresher::rounds();
    enough.give();
    for (int wait = 0; wait < 5000 && refresher::rounds() < before + 3; ++wait) std::this_thread::sleep_for(1ms);
    promised(refresher::rounds() >= before + 3, "it goes on");
    refresher::stop();
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a file ends with its secret, though the refresher is about to visit it") {
  const auto end = in_child([] {
    const own_directory files;
    internal::signal_once in_round;
    internal::signal_once enough;
    const auto probe = internal::rest_probe::join(
        [&] {
          in_round.give();
          enough.wait();
        },
        [] {});
    refresher::stop();
    const auto make = [&] {
      return file_memory::create(*buffer<std::byte>::random(32), {.directory = files.path(), .prekey = 32});
    };
    auto moved_over = make();
    {
      const auto dropped = make();
      const auto split = non_contiguous_memory::create(
          *buffer<std::byte>::random(32), {.shares = {share_place::file, share_place::ram}, .prekey = 32, .directory = files.path()});
      prove(probe != nullptr && moved_over && dropped && split && open_files(files.path()).size() == 3, "three files");
      refresher::period(1ms);
      prove(refresher::start().has_value(), "a refresher");
      in_round.wait();
    }
    promised(open_files(files.path()).size() == 1, "files of secrets that are gone are closed");
    auto other = make();
    *moved_over = std::move(*other);
    promised(open_files(files.path()).size() == 1, "so is that of a secret that another takes the place of");
    enough.give();
    refresher::stop();
  });
  CAPTURE(end.text);
  CHECK(end.clean());
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

TEST_CASE("a function that the refresher calls may stop it, and its exit handlers too") {
  const auto expire = [](auto&& on_expiry) {
    refresher::period(std::chrono::milliseconds(1));
    char typed[] = "until then";
    const auto held = lockfast::passphrase::take(std::span<char>(typed, sizeof typed - 1),
                                                 {.idle_expiry = std::chrono::milliseconds(1), .on_expiry = on_expiry});
    prove(held.has_value(), "a passphrase");
    // It is not asked, so that the refresher notices.
    std::this_thread::sleep_for(std::chrono::seconds(5));
  };
  const ending stopped = in_child([&] {
    expire([] {
      refresher::stop();
      promised(!refresher::running(), "stopped");
      leave_with(0);
    });
    promised(false, "stop() returns");
  });
  CHECK(stopped.clean());
  const ending exited = in_child([&] {
    (void)std::atexit([] {
      refresher::stop();
      leave_with(0);
    });
    expire([] { std::exit(1); });
    promised(false, "the process ends");
  });
  CHECK(exited.clean());
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
