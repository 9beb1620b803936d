// fork_test.cc - what a forked child can do with its parent's vault, by fork policy, and that the parent never notices.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>
#include <sys/wait.h>
#include <unistd.h>
#include <lockfast/vault.hpp>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <semaphore>
#include <string>
#include <thread>
#include <vector>

#include "boojum/split/resting_key.h"
#include "boojum/memory/scratch.h"
#include "boojum/vault/vault_state.h"
#include "support/check.h"
#include "support/child.h"
#include "support/patience.h"
#include "support/sanitized.h"
#include "support/traced.h"

using lockfast::memory_error;
using lockfast::vault;

namespace {

// The status that a forked child leaves with: 0 when it found what was promised.
template <class Body>
int forked(Body body) {
  const pid_t child = fork();
  if (child == 0) {
    alarm(patience(60));
    _exit(body() ? 0 : 1);
  }
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child) return -1;
  return WIFEXITED(state) ? WEXITSTATUS(state) : -WTERMSIG(state);
}

bool holds(const vault& records, vault::id which, const traced& secret) {
  const auto view = records.open(which);
  return view && secret.equals(view->span());
}

lockfast::buffer<std::byte> made(std::uint64_t seed) {
  const traced secret(seed);
  auto out = lockfast::buffer<std::byte>::filled(secret.size(), [&](std::span<std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = secret[at];
  });
  prove(out.has_value(), "a secret");
  return std::move(*out);
}

// What the tests were started with, and one option more.
void add_option(const char* text) {
  const char* const given = std::getenv("LOCKFAST_OPTIONS");
  const std::string all = given == nullptr || *given == '\0' ? text : std::string(given) + "," + text;
  prove(setenv("LOCKFAST_OPTIONS", all.c_str(), 1) == 0, "the variable");
}

const scenario inherits("a child inherits a vault", [] {
  add_option("fork=inherit");
  vault records;
  const auto id = records.insert(made(1));
  prove(id.has_value(), "a record");
  const int child = forked([&] {
    const auto mine = records.insert(made(2));
    return holds(records, *id, traced(1)) && mine && holds(records, *mine, traced(2)) && records.rekey() &&
           holds(records, *id, traced(1)) && records.replace(*id, made(3)) && holds(records, *id, traced(3));
  });
  promised(child == 0, "a vault of its own");
  promised(records.size() == 1 && holds(records, *id, traced(1)), "the parent's records");
});

const scenario is_counted("a child counts a vault that threads change", [] {
  add_option("fork=inherit");
  vault records;
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int number = 0; number < 4; ++number) {
    threads.emplace_back([&] {
      const std::byte one = {};
      const std::span<const std::byte> secret(&one, 1);
      std::vector<vault::id> ids(32);
      const std::vector<std::span<const std::byte>> secrets(ids.size(), secret);
      while (!stop) {
        if (!records.insert(secrets, ids)) continue;
        for (const vault::id each : ids) (void)records.erase(each);
      }
    });
  }
  int wrong = 0;
  for (int round = 0; round < (sanitized ? 20 : 400); ++round) {
    wrong += forked([&] {
               std::size_t live = 0;
               for ([[maybe_unused]] const vault::id each : records.ids()) ++live;
               return live == records.size();
             }) == 0
                 ? 0
                 : 1;
  }
  stop = true;
  for (std::thread& each : threads) each.join();
  promised(wrong == 0, "every record counted in every child");
  promised(records.empty(), "none left in the parent");
});

const scenario is_idle("a child does not count the uses of other threads", [] {
  add_option("fork=inherit");
  vault records;
  const auto id = records.insert(made(1));
  prove(id.has_value(), "a record");
  const auto phrase_of = [](std::string typed, lockfast::passphrase::options chosen) {
    auto taken = lockfast::passphrase::take(std::span<char>(typed), std::move(chosen));
    prove(taken.has_value(), "a passphrase");
    return std::move(*taken);
  };
  constexpr auto idle = std::chrono::seconds(1);  // longer than a busy machine stalls
  const auto phrase = phrase_of("four words of mine", {});
  const auto short_lived = phrase_of("four other words", {.idle_expiry = idle});
  std::binary_semaphore is_used(0);
  std::binary_semaphore may_end(0);
  std::thread other([&] {
    prove(records.lock_with(phrase, {.idle = idle, .cost = 10}).has_value(), "a lock");
    const auto view = records.open(*id);
    const auto done = short_lived.use([&](auto) {
      is_used.release();
      may_end.acquire();
    });
    prove(view && done, "uses that last");
  });
  is_used.acquire();
  promised(forked([&] {
             for (int round = 0; round < 1000 && !(records.locked() && !short_lived.available()); ++round) {
               std::this_thread::sleep_for(std::chrono::milliseconds(10));
             }
             return records.locked() && !short_lived.available();
           }) == 0,
           "the child's vault locks and its passphrase expires");
  promised(!records.locked() && short_lived.available(), "the parent's are in use");
  may_end.release();
  other.join();
});

const scenario leases_end("a fork ends a lease", [] {
  add_option("fork=inherit");
  lockfast::internal::vault_state records(vault::options{});
  std::weak_ptr<const lockfast::internal::opened_key> watched;
  bool was_leased = false;
  for (int attempt = 0; attempt < 100 && !was_leased; ++attempt) {
    const auto keys = records.keys();
    prove(keys.has_value(), "a key");
    watched = *keys->by_epoch[keys->current]->open();
    was_leased = !watched.expired();  // and for 10 ms, unless this thread is held up
    promised(forked([&] { return watched.expired(); }) == 0, "no lease in the child");
    promised(watched.expired(), "no lease in the parent");
  }
  promised(was_leased, "a lease");
});

bool all_are(std::span<const std::byte> bytes, std::byte value) {
  return std::ranges::all_of(bytes, [&](std::byte each) { return each == value; });
}

const scenario is_left_out("a child has nothing of what another thread works with", [] {
  add_option("fork=inherit");
  constexpr std::byte mark{0x5a};
  const auto key = lockfast::internal::resting_key::fresh();
  prove(key.has_value(), "a key");
  std::span<std::byte> theirs;
  std::span<const std::byte> opened;
  std::binary_semaphore at_work(0);
  std::binary_semaphore finished(0);
  std::thread other([&] {
    const lockfast::internal::scratch small(64);
    const lockfast::internal::scratch large(70000);
    const auto mine = (*key)->open();
    if (!large.refused() && mine) {
      std::ranges::fill(large.bytes(), mark);
      theirs = large.bytes();
      opened = (*mine)->view();
    }
    at_work.release();
    finished.acquire();
  });
  at_work.acquire();
  const lockfast::internal::scratch mine(64);
  const bool set_up = !theirs.empty() && !mine.refused() && !all_are(opened, std::byte{0});
  std::ranges::fill(mine.bytes(), mark);
  const int child = forked([&] {
    const bool wiped = all_are(theirs, std::byte{0}) && all_are(opened, std::byte{0});
    const lockfast::internal::scratch another(64);
    return wiped && all_are(mine.bytes(), mark) && !another.refused() && (*key)->open().has_value();
  });
  const bool whole = all_are(theirs, mark) && !all_are(opened, std::byte{0});
  finished.release();
  other.join();
  prove(set_up, "something to work with");
  promised(child == 0, "what is its own, and nothing else");
  promised(whole, "what the parent works with");
});

const scenario is_wiped("a child sees a wiped key", [] {
  add_option("fork=wipe");
  for (const std::size_t hot : {std::size_t{0}, std::size_t{4}}) {
    vault records(vault::options{.hot_records = hot});
    const auto id = records.insert(made(1));
    prove(id.has_value(), "a record");
    prove(holds(records, *id, traced(1)), "an opened record");
    const int child = forked([&] {
      const auto opened = records.open(*id);
      const auto inserted = records.insert(made(2));
      return !opened && !inserted && (opened.error() == memory_error::unavailable || opened.error() == memory_error::damaged);
    });
    promised(child == 0, "a clear refusal");
    promised(holds(records, *id, traced(1)), "the parent's record");
  }
});

}  // namespace

TEST_CASE("a child without the key is told so, and dies of nothing") {
  for (const std::size_t hot : {std::size_t{0}, std::size_t{4}}) {
    std::optional<vault> records(std::in_place, vault::options{.hot_records = hot});
    const auto id = *records->insert(traced(1).buffer());
    const auto other = *records->insert(traced(2).buffer());
    REQUIRE(records->open(id).has_value());
    const auto secret = traced(3).buffer();
    CHECK(forked([&] {
            const std::vector<vault::id> both = {id, other};
            const bool told = records->open(other).error() == memory_error::unavailable &&
                              records->open(both).error() == memory_error::unavailable &&
                              records->rekey().error() == memory_error::unavailable;
            const auto mine = made(4);
            const bool kept = records->insert(mine).error() == memory_error::unavailable &&
                              records->replace(id, mine).error() == memory_error::unavailable;
            const auto lately = records->open(id);
            const bool counted = records->size() == 2 && records->contains(id) && records->erase(id).has_value();
            records.reset();
            return told && kept && !lately && lately.error() == memory_error::unavailable && counted;
          }) == 0);
    CHECK(traced(1).equals(records->open(id)->span()));
    CHECK(records->size() == 2);
  }
}

TEST_CASE("a child makes a vault of its own") {
  vault records;
  (void)records.insert(traced(1).buffer());
  CHECK(forked([] {
          vault mine;
          const auto id = mine.insert(made(5));
          return id && holds(mine, *id, traced(5));
        }) == 0);
}

TEST_CASE("fork=inherit gives a child the vault, and leaves the parent's alone") { check_clean(inherits.run()); }

TEST_CASE("a child that inherits a vault while threads change it counts the records that it has") {
  check_clean(is_counted.run());
}

TEST_CASE("a child that inherits counts no use of a thread that it does not have") { check_clean(is_idle.run()); }
TEST_CASE("a child that inherits has nothing of what another thread was working with") { check_clean(is_left_out.run()); }

TEST_CASE("no lease of a key outlives a fork, in neither process") { check_clean(leases_end.run()); }

TEST_CASE("fork=wipe leaves a child a clear refusal") { check_clean(is_wiped.run()); }

TEST_CASE("a fork while threads use the vault leaves neither side waiting") {
  if (under_tsan) return;  // which lets no thread start in a child
  vault records;
  const auto id = *records.insert("its name", traced(1).buffer());
  std::atomic<bool> stop = false;
  std::vector<std::thread> threads;
  for (int number = 0; number < 3; ++number) {
    threads.emplace_back([&, number] {
      for (std::uint64_t round = 0; !stop; ++round) {
        const auto mine = number == 1 ? records.insert(std::to_string(round), made(round)) : records.insert(made(round));
        if (!mine) continue;
        (void)records.open(*mine);
        if (number == 0) (void)records.rekey();
        (void)records.erase(*mine);
      }
    });
  }
  int clean = 0;
  constexpr int forks = sanitized ? 10 : 100;
  for (int round = 0; round < forks; ++round) {
    clean += forked([&] {
               const auto mine = made(1);
               return records.open(id).error() == memory_error::unavailable &&
                      records.insert(mine).error() == memory_error::unavailable &&
                      records.find("its name").error() == memory_error::unavailable && records.contains(id);
             }) == 0
                 ? 1
                 : 0;
  }
  stop = true;
  for (std::thread& each : threads) each.join();
  CHECK(clean == forks);
  CHECK(traced(1).equals(records.open(id)->span()));
  CHECK(records.find("its name") == id);
}

TEST_CASE("a fork while a thread locks and unlocks a vault with names leaves neither side waiting") {
  if (under_tsan) return;  // which lets no thread start in a child
  vault records;
  const auto id = *records.insert("its name", traced(1).buffer());
  std::string typed = "four words of mine";
  const auto phrase = lockfast::passphrase::take(std::span<char>(typed));
  REQUIRE(phrase.has_value());
  REQUIRE(records.lock_with(*phrase, {.cost = 10}).has_value());
  std::atomic<bool> stop = false;
  std::thread locks([&] {
    while (!stop) {
      CHECK(records.lock().has_value());
      (void)records.insert("another", made(2));
      CHECK(records.unlock(*phrase).has_value());
    }
  });
  int clean = 0;
  constexpr int forks = sanitized ? 10 : 100;
  for (int round = 0; round < forks; ++round) {
    clean +=
        forked([&] { return !records.open(id) && !records.find("its name") && records.contains(id) && records.erase(id); }) == 0
            ? 1
            : 0;
  }
  stop = true;
  locks.join();
  CHECK(clean == forks);
  CHECK(records.find("its name") == id);
}
