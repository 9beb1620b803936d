// threads_test.cc - many threads on one vault: whatever opens is whole, and what was told of is so.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <lockfast/vault.hpp>

#include <atomic>
#include <cstring>
#include <mutex>
#include <optional>
#include <random>
#include <thread>
#include <vector>

#include "boojum/vault/file_io.h"
#include "support/sanitized.h"
#include "support/traced.h"
#include "vault/file_key.h"

using lockfast::memory_error;
using lockfast::vault;
using lockfast::internal::load_vault;
using lockfast::internal::save_vault;
using lockfast::internal::vault_state;

namespace {

constexpr std::size_t thread_count = 4;
constexpr int rounds = sanitized ? 200 : 800;

// A secret that names itself: 8 bytes of seed, then what follows from it.
void write_stamped(std::span<std::byte> bytes, std::uint64_t seed) {
  std::memcpy(bytes.data(), &seed, sizeof seed);
  const traced rest(seed);
  for (std::size_t at = sizeof seed; at < bytes.size(); ++at) bytes[at] = rest[at];
}

bool is_whole(std::span<const std::byte> bytes) {
  std::uint64_t seed = 0;
  std::memcpy(&seed, bytes.data(), sizeof seed);
  const traced rest(seed);
  for (std::size_t at = sizeof seed; at < bytes.size(); ++at) {
    if (bytes[at] != rest[at]) return false;
  }
  return true;
}

class workers {
 public:
  explicit workers(vault_state& records) : records_(records) {}

  void run() {
    std::vector<std::thread> threads;
    for (std::size_t number = 0; number < thread_count; ++number) threads.emplace_back([this, number] { work(number); });
    for (std::thread& each : threads) each.join();
  }

  std::atomic<int> faults = 0;
  std::atomic<int> opened = 0;

 private:
  void work(std::size_t number) {
    std::mt19937 random(static_cast<unsigned>(number));
    std::vector<vault::id> mine;
    auto room = lockfast::buffer<std::byte>::zeroed(200);
    for (int round = 0; round < rounds; ++round) {
      const std::size_t size = 8 + random() % 190;
      const auto deed = random() % 10;
      if (mine.empty() || deed < 3) {
        insert(mine, *room, size, random());
      } else if (deed < 4) {
        const std::size_t at = random() % mine.size();
        if (!records_.erase(mine[at])) ++faults;
        if (records_.open(mine[at])) ++faults;
        mine.erase(mine.begin() + static_cast<std::ptrdiff_t>(at));
      } else if (deed < 6) {
        replace(any(random()), *room, size, random());
      } else {
        look(any(random()));
      }
    }
    for (const vault::id each : mine) {
      const auto view = records_.open(each);
      if (!view || !is_whole(view->span())) ++faults;
    }
  }

  // A record of any thread.
  vault::id any(std::size_t choice) {
    const std::scoped_lock held(mutex_);
    return all_.empty() ? vault::id() : all_[choice % all_.size()];
  }

  void insert(std::vector<vault::id>& mine, lockfast::buffer<std::byte>& room, std::size_t size, std::uint64_t seed) {
    const auto view = room.write();
    write_stamped(view.span().first(size), seed);
    const std::span<const std::byte> secret = view.span().first(size);
    vault::id id;
    if (!records_.insert({&secret, 1}, {&id, 1})) {
      ++faults;
      return;
    }
    mine.push_back(id);
    const std::scoped_lock held(mutex_);
    all_.push_back(id);
  }

  void replace(vault::id which, lockfast::buffer<std::byte>& room, std::size_t size, std::uint64_t seed) {
    const auto view = room.write();
    write_stamped(view.span().first(size), seed);
    const auto done = records_.replace(which, view.span().first(size));
    if (!done && done.error() != memory_error::not_found) ++faults;
  }

  void look(vault::id which) {
    if (which.value() % 2 == 0) {
      const auto view = records_.open(which);
      if (view ? !is_whole(view->span()) : view.error() != memory_error::not_found) ++faults;
      opened += view ? 1 : 0;
      return;
    }
    const std::vector<vault::id> two = {which, which};
    const auto views = records_.open(two);
    if (views ? !is_whole((*views)[0]) || !is_whole((*views)[1]) : views.error() != memory_error::not_found) ++faults;
  }

  vault_state& records_;
  std::mutex mutex_;
  std::vector<vault::id> all_;
};

}  // namespace

TEST_CASE("threads that insert, open, replace and erase meet whole records, while the key changes and the vault is saved") {
  for (const std::size_t hot : {std::size_t{0}, std::size_t{8}}) {
    const own_folder folder;
    vault_state records(vault::options{.hot_records = hot});
    workers all(records);
    std::atomic<bool> stop = false;
    std::atomic<int> turns = 0;
    std::thread keys([&] {
      while (!stop) turns += records.rekey() ? 1 : 0;
    });
    std::atomic<int> saves = 0;
    std::thread disk([&] {
      while (!stop) {
        if (!save_vault(records, folder.file("records"), {.key = {.cost = 10}}, key_from(), nullptr)) ++all.faults;
        const auto loaded = load_vault(folder.file("records"), key_from(), {});
        if (!loaded) ++all.faults;
        for (vault::id at = loaded ? (*loaded)->next({}) : vault::id(); at != vault::id(); at = (*loaded)->next(at)) {
          const auto view = (*loaded)->open(at);
          if (!view || !is_whole(view->span())) ++all.faults;
        }
        ++saves;
      }
    });
    all.run();
    stop = true;
    keys.join();
    disk.join();
    CHECK(all.faults == 0);
    CHECK(all.opened > 0);
    CHECK(turns > 0);
    CHECK(saves > 0);
    std::size_t count = 0;
    for (vault::id at = records.next({}); at != vault::id(); at = records.next(at)) ++count;
    CHECK(count == records.size());
  }
}

TEST_CASE("views of one record by many threads are one block") {
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  std::atomic<int> faults = 0;
  std::vector<std::thread> threads;
  for (std::size_t number = 0; number < thread_count; ++number) {
    threads.emplace_back([&] {
      for (int round = 0; round < rounds; ++round) {
        const auto view = records.open(id);
        if (!view || !traced(1).equals(view->span())) ++faults;
      }
    });
  }
  for (std::thread& each : threads) each.join();
  CHECK(faults == 0);
}

TEST_CASE("a record that is erased while it is opened is kept open for nobody") {
  const auto live_now = [] {
    struct lockfast_statistics now;
    lockfast_get_statistics(&now);
    return now.live_isolated;
  };
  vault records;
  std::optional<vault::id> id = *records.insert(*lockfast::buffer<std::byte>::random(32));
  // Also the key that opens a record, which may stay open for a while.
  REQUIRE(records.open(*id));
  records.erase(*id);
  std::atomic<int> round = 0;
  std::atomic<int> opened = 0;
  constexpr int tries = sanitized ? 500 : 3000;
  std::thread reader([&] {
    for (int at = 1; at <= tries; ++at) {
      while (round != at) std::this_thread::yield();
      (void)records.open(*id);
      opened = at;
    }
  });
  const std::size_t before = live_now();
  std::size_t most = 0;
  for (int at = 1; at <= tries; ++at) {
    id = *records.insert(*lockfast::buffer<std::byte>::random(32));
    round = at;
    for (int turns = at % 1024; turns > 0; --turns) (void)records.size();
    records.erase(*id);
    while (opened != at) std::this_thread::yield();
    most = std::max(most, live_now());
  }
  reader.join();
  CHECK(most <= before);
}
