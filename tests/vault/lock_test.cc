// lock_test.cc - a vault that is locked, by a call or by time, and unlocked by its passphrase.
#include <doctest/doctest.h>
#include <lockfast/passphrase.hpp>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "support/stalls.h"
#include "vault/saving.h"

using namespace std::chrono_literals;
using lockfast::passphrase;

namespace {

passphrase phrase_of(std::string typed, passphrase::options chosen = {}) {
  auto made = passphrase::take(std::span<char>(typed), std::move(chosen));
  REQUIRE(made.has_value());
  return std::move(*made);
}

const vault::lock_options quick = {.cost = 10};

// Waits until a vault or a passphrase has changed, ten seconds at most.
template <class Condition>
bool comes(Condition&& condition) {
  for (int round = 0; round < 1000; ++round) {
    if (condition()) return true;
    std::this_thread::sleep_for(10ms);
  }
  return false;
}

// Stops the refresher for the length of a test.
class no_refresher {
 public:
  no_refresher() { lockfast::refresher::stop(); }
  ~no_refresher() { (void)lockfast::refresher::start(); }
};

}  // namespace

TEST_CASE("a locked vault opens and seals nothing until its passphrase is given") {
  vault records;
  const auto id = *records.insert("name", traced(1).buffer());
  CHECK(records.lock().error() == memory_error::unavailable);
  const auto phrase = phrase_of("four words of mine");
  CHECK(records.unlock(phrase).error() == memory_error::unavailable);
  int calls = 0;
  REQUIRE(records.lock_with(phrase, {.on_lock = [&] { ++calls; }, .cost = 10}).has_value());
  CHECK_FALSE(records.locked());
  REQUIRE(records.open(id).has_value());
  REQUIRE(records.lock().has_value());
  REQUIRE(records.lock().has_value());
  CHECK(calls == 1);
  CHECK(records.locked());
  CHECK(records.open(id).error() == memory_error::locked);
  CHECK(records.open(std::span(&id, 1)).error() == memory_error::locked);
  CHECK(records.insert(traced(2).buffer()).error() == memory_error::locked);
  CHECK(records.insert("other", traced(2).buffer()).error() == memory_error::locked);
  CHECK(records.replace(id, traced(2).buffer()).error() == memory_error::locked);
  CHECK(records.find("name").error() == memory_error::locked);
  CHECK(records.name_of(id).error() == memory_error::locked);
  CHECK(records.for_each_described([](const auto&) {}).error() == memory_error::locked);
  CHECK(records.rekey().error() == memory_error::locked);
  CHECK(records.lock_with(phrase, quick).error() == memory_error::locked);
  CHECK(records.save("nowhere", phrase, {.cost = 10}).error() == memory_error::locked);
  CHECK(records.contains(id));
  CHECK(records.unlock(phrase_of("other words")).error() == memory_error::wrong_passphrase);
  CHECK(records.locked());
  REQUIRE(records.unlock(phrase).has_value());
  CHECK(traced(1).equals(records.open(id)->span()));
  CHECK(records.find("name") == id);
  CHECK(records.unlock(phrase_of("other words")).error() == memory_error::wrong_passphrase);
  CHECK(records.insert("other", traced(2).buffer()).has_value());
}

TEST_CASE("a vault refuses a negative time after which it would lock, and does not lock") {
  vault records;
  const auto phrase = phrase_of("four words of mine");
  for (const vault::lock_options& chosen :
       {vault::lock_options{.idle = -1ms, .cost = 10}, vault::lock_options{.lifetime = -1ms, .cost = 10}}) {
    CHECK(records.lock_with(phrase, chosen).error() == memory_error::limit_exceeded);
    CHECK(records.lock().error() == memory_error::unavailable);
  }
}

TEST_CASE("a vault locks under the cost of its own where none is chosen, and refuses one out of range") {
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  const auto phrase = phrase_of("four words of mine");
  for (const std::uint32_t cost : {9U, 21U}) {
    CHECK(records.lock_with(phrase, {.cost = cost}).error() == memory_error::limit_exceeded);
    CHECK(records.lock().error() == memory_error::unavailable);
  }
  REQUIRE(records.lock_with(phrase).has_value());
  REQUIRE(records.lock().has_value());
  CHECK(records.open(id).error() == memory_error::locked);
  REQUIRE(records.unlock(phrase).has_value());
  CHECK(traced(1).equals(records.open(id)->span()));
}

TEST_CASE("what is locked survives re-keys before and after, and erasing goes on meanwhile") {
  vault records;
  std::vector<vault::id> ids;
  for (std::uint64_t seed = 0; seed < 40; ++seed) ids.push_back(*records.insert(std::to_string(seed), traced(seed).buffer()));
  const auto phrase = phrase_of("four words of mine");
  REQUIRE(records.lock_with(phrase, quick).has_value());
  for (int round = 0; round < 3; ++round) {
    REQUIRE(records.rekey().has_value());
    REQUIRE(records.lock().has_value());
    REQUIRE(records.erase(ids.back()).has_value());
    ids.pop_back();
    REQUIRE(records.unlock(phrase).has_value());
    for (std::uint64_t seed = 0; seed < ids.size(); ++seed) {
      CHECK(traced(seed).equals(records.open(ids[seed])->span()));
      CHECK(records.find(std::to_string(seed)) == ids[seed]);
    }
  }
}

TEST_CASE("a vault that was locked before its first record is unlocked by its passphrase alone") {
  vault records;
  const auto phrase = phrase_of("four words of mine");
  REQUIRE(records.lock_with(phrase, quick).has_value());
  REQUIRE(records.lock().has_value());
  CHECK(records.unlock(phrase_of("four words of mind")).error() == memory_error::wrong_passphrase);
  CHECK(records.locked());
  REQUIRE(records.unlock(phrase).has_value());
  CHECK(records.insert(traced(1).buffer()).has_value());
}

TEST_CASE("while a vault is locked its key is in no memory, and no record is cached") {
  if (!memory_can_be_searched()) return;
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  REQUIRE(records.lock_with(phrase_of("four words of mine"), quick).has_value());
  (void)records.open(id);
  struct lockfast_statistics before;
  lockfast_get_statistics(&before);
  REQUIRE(records.lock().has_value());
  struct lockfast_statistics after;
  lockfast_get_statistics(&after);
  // The cached record; of each of the two keys a prekey and a masked key at least.
  CHECK(before.live - after.live >= 5);
  CHECK(traced(1).copies_in_memory() == 0);
}

TEST_CASE("a vault locks after its lifetime, however often it is used, and tells of it once, also without the refresher") {
  const no_refresher stopped;
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  const auto phrase = phrase_of("four words of mine");
  std::atomic<int> calls = 0;
  CHECK(holds_unless_stalled(300ms, [&](steps&) {
    if (records.locked()) REQUIRE(records.unlock(phrase).has_value());
    calls = 0;
    REQUIRE(records.lock_with(phrase, {.lifetime = 300ms, .on_lock = [&] { ++calls; }, .cost = 10}).has_value());
    return records.open(id).has_value();
  }));
  CHECK(comes([&] { return !records.open(id); }));
  CHECK(records.open(id).error() == memory_error::expired);
  CHECK(records.insert(traced(2).buffer()).error() == memory_error::expired);
  CHECK(calls == 1);
  int unlocked = 0;
  CHECK(holds_unless_stalled(300ms, [&](steps&) {
    REQUIRE(records.unlock(phrase).has_value());
    ++unlocked;
    const auto view = records.open(id);
    return view && traced(1).equals(view->span());
  }));
  CHECK(comes([&] { return records.locked(); }));
  CHECK(calls == 1 + unlocked);
}

TEST_CASE("idle counts from the end of a use, which a view is and a save is not") {
  const no_refresher stopped;
  const own_folder folder;
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  const auto phrase = phrase_of("four words of mine");
  REQUIRE(records.lock_with(phrase, {.idle = 400ms, .cost = 10}).has_value());
  CHECK(holds_unless_stalled(400ms, [&](steps& taken) {
    if (records.locked()) REQUIRE(records.unlock(phrase).has_value());
    {
      const auto view = records.open(id);
      for (int part = 0; part < 7; ++part) {
        taken.step();
        std::this_thread::sleep_for(100ms);
      }
      if (!view || records.locked()) return false;
      taken.step();
    }
    return records.open(id).has_value();
  }));
  // Saves alone do not keep it open.
  CHECK(comes([&] { return !records.save(folder.file("records"), phrase, {.cost = 10}); }));
  CHECK(records.locked());
  CHECK(records.open(id).error() == memory_error::expired);
}

TEST_CASE("the refresher locks a vault that nobody asks") {
  const auto before = lockfast::refresher::period();
  lockfast::refresher::period(20ms);
  vault records;
  std::atomic<int> calls = 0;
  REQUIRE(records.insert(traced(1).buffer()).has_value());
  REQUIRE(
      records.lock_with(phrase_of("four words of mine"), {.idle = 50ms, .on_lock = [&] { ++calls; }, .cost = 10}).has_value());
  CHECK(comes([&] { return calls == 1; }));
  lockfast::refresher::period(before);
}

TEST_CASE("a loaded vault whose passphrase has expired opens no record until it is given again") {
  const no_refresher stopped;
  const own_folder folder;
  const std::string path = folder.file("records");
  vault::id id;
  {
    vault records;
    id = *records.insert("name", traced(1).buffer());
    REQUIRE(records.save(path, phrase_of("four words of mine"), {.cost = 10}).has_value());
  }
  const auto brief = [] { return phrase_of("four words of mine", {.lifetime = 500ms}); };
  auto phrase = brief();
  auto records = vault::load(path, phrase);
  CHECK(holds_unless_stalled(500ms, [&](steps&) {
    phrase = brief();
    records = vault::load(path, phrase);
    return records && records->open(id).has_value();
  }));
  CHECK(comes([&] { return !phrase.available(); }));
  CHECK(records->open(id).error() == memory_error::expired);
  CHECK(records->find("name").error() == memory_error::expired);
  CHECK(records->unlock(phrase).error() == memory_error::expired);
  REQUIRE(records->unlock(phrase_of("four words of mine")).has_value());
  CHECK(traced(1).equals(records->open(id)->span()));
}

TEST_CASE("a vault outlives the passphrase object that it was loaded under") {
  const own_folder folder;
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  REQUIRE(records.save(folder.file("records"), phrase_of("four words of mine"), {.cost = 10}).has_value());
  const auto loaded = vault::load(folder.file("records"), phrase_of("four words of mine", {.lifetime = 1h}));
  REQUIRE(loaded.has_value());
  CHECK(loaded->open(id).has_value());
}

TEST_CASE("a program that saves now and then does not keep its passphrase from expiring") {
  const no_refresher stopped;
  const own_folder folder;
  vault records;
  REQUIRE(records.insert(traced(1).buffer()).has_value());
  const auto phrase = phrase_of("four words of mine", {.idle_expiry = 400ms});
  CHECK(comes([&] { return !records.save(folder.file("records"), phrase, {.cost = 10}); }));
  CHECK_FALSE(phrase.available());
}

TEST_CASE("threads that use, lock and unlock a vault meet no wrong record and leave it unlocked") {
  vault records;
  const auto id = *records.insert("name", traced(1).buffer());
  const auto phrase = phrase_of("four words of mine");
  REQUIRE(records.lock_with(phrase, quick).has_value());
  std::atomic<bool> stop = false;
  std::vector<std::jthread> all;
  for (int thread = 0; thread < 3; ++thread) {
    all.emplace_back([&] {
      while (!stop) {
        const auto view = records.open(id);
        if (view) CHECK(traced(1).equals(view->span()));
        if (!view) CHECK(view.error() == memory_error::locked);
        if (const auto mine = records.insert(traced(2).buffer())) CHECK(records.erase(*mine).has_value());
        const auto found = records.find("name");
        CHECK((found == id || found.error() == memory_error::locked));
      }
    });
  }
  for (int round = 0; round < 40; ++round) {
    CHECK(records.lock().has_value());
    CHECK(records.unlock(phrase).has_value());
  }
  stop = true;
  all.clear();
  CHECK(records.size() == 1);
  CHECK(records.open(id).has_value());
}

TEST_CASE("a lock that comes late to its turn does not seal the keys of a vault that is unlocked by then") {
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  const auto phrase = phrase_of("four words of mine");
  REQUIRE(records.lock_with(phrase, quick).has_value());
  for (int round = 0; round < 10; ++round) {
    // A save has them all wait for the same moment.
    std::atomic<bool> is_saving = false;
    std::vector<std::jthread> all;
    all.emplace_back([&] {
      const auto watch = [&](const vault::progress&) {
        is_saving = true;
        std::this_thread::sleep_for(30ms);
        return true;
      };
      CHECK(records.save_to_memory(phrase, {.cost = 10, .watch = watch}).has_value());
    });
    while (!is_saving) std::this_thread::yield();
    for (int thread = 0; thread < 4; ++thread) all.emplace_back([&] { CHECK(records.lock().has_value()); });
    while (!records.unlock(phrase)) std::this_thread::yield();
    all.clear();
    CHECK(records.open(id).has_value() != records.locked());
    while (!records.unlock(phrase)) std::this_thread::yield();
    CHECK(records.open(id).has_value());
  }
}

TEST_CASE("several opened records that are moved onto themselves are one use, which ends once") {
  const no_refresher stopped;
  constexpr auto idle = 500ms;  // longer than a busy machine stalls
  vault records;
  const auto id = *records.insert(traced(1).buffer());
  REQUIRE(records.lock_with(phrase_of("four words of mine"), {.idle = idle, .cost = 10}).has_value());
  {
    const auto other_use = records.open(id);
    REQUIRE(other_use.has_value());
    if (auto opened = records.open(std::span(&id, 1))) {
      vault::views& same = *opened;
      *opened = std::move(same);
      CHECK(opened->size() == 1);
    }
    std::this_thread::sleep_for(idle + 100ms);
    CHECK_FALSE(records.locked());
  }
  CHECK(comes([&] { return records.locked(); }));
}

TEST_CASE("a save during which a vault expires says so") {
  const auto before = lockfast::refresher::period();
  lockfast::refresher::period(20ms);
  vault records;
  REQUIRE(records.insert(traced(1).buffer()).has_value());
  const auto phrase = phrase_of("four words of mine");
  REQUIRE(records.lock_with(phrase, {.lifetime = 60ms, .cost = 10}).has_value());
  CHECK(records.save_to_memory(phrase, {.cost = 17}).error() == memory_error::expired);
  lockfast::refresher::period(before);
}

TEST_CASE("a view that outlives its vault has nobody told of a lock") {
  const no_refresher stopped;
  std::atomic<int> calls = 0;
  auto records = std::make_unique<vault>(vault::options{.hot_records = 0});
  const auto id = *records->insert(traced(1).buffer());
  const auto phrase = phrase_of("four words of mine");
  auto view = records->open(id);
  CHECK(holds_unless_stalled(200ms, [&](steps&) {
    view = std::unexpected(memory_error::locked);
    if (records->locked()) REQUIRE(records->unlock(phrase).has_value());
    REQUIRE(records->lock_with(phrase, {.lifetime = 200ms, .on_lock = [&] { ++calls; }, .cost = 10}).has_value());
    view = records->open(id);
    return view.has_value();
  }));
  calls = 0;
  records = nullptr;
  const auto before = lockfast::refresher::period();
  lockfast::refresher::period(20ms);
  REQUIRE(lockfast::refresher::start().has_value());
  std::this_thread::sleep_for(500ms);
  lockfast::refresher::period(before);
  CHECK(calls == 0);
  CHECK(traced(1).equals(view->span()));
}
