// every_call_test.cc - the first call that may be refused is, then the second, and so on until the deed is done: each time the
// vault is as it was, and nothing is left behind.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>
#include <lockfast/boojum.hpp>

#include <chrono>
#include <csignal>
#include <functional>
#include <memory>
#include <optional>
#include <thread>
#include <vector>

#include "boojum/vault/file_io.h"
#include "boojum/vault/vault_lock.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/sanitized.h"
#include "support/short_heap.h"
#include "support/traced.h"
#include "vault/file_key.h"
#include "vault/key_time.h"
#include "vault/refusal/in_turn.h"

using lockfast::memory_error;
using lockfast::vault;
using lockfast::internal::load_vault;
using lockfast::internal::save_vault;
using lockfast::internal::vault_state;
namespace simulated = lockfast::simulated;
using clock_type = std::chrono::steady_clock;

namespace {

constexpr std::size_t record_count = 20;
constexpr const char* path = "/folder/records";

vault::id inserted(vault_state& records, const traced& secret) {
  const auto held = secret.buffer();
  const auto view = held.read();
  const std::span<const std::byte> bytes(view.data(), view.size());
  vault::id id;
  prove(records.insert({&bytes, 1}, {&id, 1}).has_value(), "a record");
  return id;
}

bool holds(vault_state& records, vault::id which, const traced& secret) {
  const auto view = records.open(which);
  return view && secret.equals(view->span());
}

// A vault with records, and a secret to put into it, of another size than any of them.
struct scene {
  scene() {
    for (std::uint64_t seed = 0; seed < record_count; ++seed) ids.push_back(inserted(records, traced(seed, 20 + seed)));
    secret.emplace(traced(99, 700).buffer());
    view.emplace(secret->read());
    prove(save_vault(records, path, {.key = {.cost = 10}}, key_from(), nullptr).has_value(), "a file");
  }

  std::span<const std::byte> bytes() const { return {view->data(), view->size()}; }
  bool is_as_it_was(std::size_t but = record_count) {
    bool whole = true;
    for (std::uint64_t seed = 0; seed < record_count; ++seed) {
      if (seed != but) whole = whole && holds(records, ids[seed], traced(seed, 20 + seed));
    }
    return whole;
  }

  // Without a lease, so that each deed opens the key.
  vault_state records{vault::options{.hot_records = 2, .key_lease = std::chrono::milliseconds(0)}};
  std::vector<vault::id> ids;
  std::optional<lockfast::buffer<std::byte>> secret;
  std::optional<lockfast::buffer<std::byte>::read_view> view;
};

using deed = std::function<std::expected<void, memory_error>(scene&)>;

// check says whether the vault is as it should be, done or not. Returns how often the deed was refused.
std::size_t refuse_each(const deed& act, const std::function<bool(scene&, bool done)>& check) {
  return refuse_in_turn([&](turn& now) {
    scene on;
    now.begin();
    const bool done = act(on).has_value();
    now.end();
    promised(check(on, done), "the vault as it should be");
    return done;
  });
}

}  // namespace

TEST_CASE("an insert that is refused leaves no record") {
  vault::id id;
  CHECK(refuse_each(
            [&](scene& on) {
              const auto bytes = on.bytes();
              return on.records.insert({&bytes, 1}, {&id, 1});
            },
            [&](scene& on, bool done) {
              return on.is_as_it_was() && on.records.size() == record_count + (done ? 1 : 0) &&
                     (!done || holds(on.records, id, traced(99, 700)));
            }) >= 3);
}

TEST_CASE("the first insert that is refused leaves a vault that goes on") {
  CHECK(refuse_each(
            [](scene& on) -> std::expected<void, memory_error> {
              vault_state fresh(vault::options{.hot_records = 0});
              const auto bytes = on.bytes();
              vault::id id;
              auto done = fresh.insert({&bytes, 1}, {&id, 1});
              if (!done) {
                simulated::refuse_nth(0);
                short_heap::refuse_nth(0);
                promised(fresh.size() == 0, "no record");
                promised(holds(fresh, inserted(fresh, traced(5)), traced(5)), "a vault that goes on");
              }
              return {};
            },
            [](scene& on, bool) { return on.is_as_it_was(); }) == 0);
}

TEST_CASE("a record with a name is there with its name, or neither is") {
  CHECK(refuse_each(
            [](scene& on) -> std::expected<void, memory_error> {
              if (auto made = on.records.insert("name", on.bytes()); !made) return std::unexpected(made.error());
              return {};
            },
            [](scene& on, bool done) {
              const auto found = on.records.names().find("name");
              return on.is_as_it_was() && on.records.size() == record_count + (done ? 1 : 0) && found.has_value() == done &&
                     (!done || holds(on.records, *found, traced(99, 700)));
            }) >= 5);
}

TEST_CASE("a rename that is refused leaves the name of before, and a find that is refused tells no other record") {
  using part = lockfast::internal::record_names::part;
  CHECK(refuse_each(
            [](scene& on) -> std::expected<void, memory_error> {
              // Prepared within the deed, so that its calls are refused as well.
              if (auto done = on.records.describe(on.ids[2], part::name, "before"); !done) return done;
              if (auto done = on.records.describe(on.ids[2], part::name, "after"); !done) return done;
              const auto found = on.records.names().find("after");
              if (!found) return std::unexpected(found.error());
              promised(*found == on.ids[2], "the record");
              return {};
            },
            [](scene& on, bool done) {
              const auto before = on.records.names().find("before");
              const auto after = on.records.names().find("after");
              return on.is_as_it_was() && !(before && after) && (!done || after == on.ids[2]);
            }) >= 5);
}

TEST_CASE("a lock or an unlock that is refused leaves a vault that its key unlocks") {
  const auto key_of = [](lockfast::internal::lock_key& key, std::byte first = {}) {
    const std::byte stretched[32] = {first};
    return key.make(stretched);
  };
  CHECK(refuse_each(
            [&](scene& on) -> std::expected<void, memory_error> {
              if (auto done = on.records.describe(on.ids[2], lockfast::internal::record_names::part::name, "name"); !done) {
                return done;
              }
              lockfast::internal::lock_key key;
              if (auto made = key_of(key); !made) return made;
              const auto lock = on.records.made_lock();
              if (!lock) return std::unexpected(lock.error());
              const auto chosen = std::make_shared<const vault::lock_options>();
              if (auto armed = (*lock)->arm(key, nullptr, chosen); !armed) return armed;
              const bool was_locked = (*lock)->lock().has_value();
              promised(!was_locked || on.records.keys().error() == memory_error::locked, "no keys in a locked vault");
              if (auto usable = (*lock)->check(); usable) return usable;
              return (*lock)->unlock(key, nullptr);
            },
            [&](scene& on, bool done) {
              if (on.records.lock() == nullptr) return !done && on.is_as_it_was();
              lockfast::internal::lock_key key;
              lockfast::internal::lock_key other;
              if (!key_of(key) || !key_of(other, std::byte{1})) return false;
              if (on.records.lock()->is_armed() && on.records.lock()->unlock(other, nullptr)) return false;
              if (!on.records.lock()->unlock(key, nullptr) && on.records.lock()->locked()) return false;
              return on.is_as_it_was();
            }) >= 5);
}

TEST_CASE("a lock is done where the keys are sealed, and no other key unlocks, from whichever call on there is no memory") {
  using lockfast::internal::lock_key;
  for (std::size_t n = 1; n < 40; ++n) {
    const ending end = in_child([&] {
      scene on;
      lock_key key;
      lock_key other;
      const std::byte stretched[32] = {};
      prove(on.records.describe(on.ids[2], lockfast::internal::record_names::part::name, "name").has_value(), "a name");
      const std::byte others[32] = {std::byte{1}};
      prove(key.make(stretched) && other.make(others), "two keys");
      const auto lock = on.records.made_lock();
      prove(lock && (*lock)->arm(key, nullptr, std::make_shared<const vault::lock_options>()), "a lock");
      simulated::refuse_from(n);
      const bool locks = (*lock)->lock().has_value();
      simulated::refuse_nth(0);
      const auto keys = on.records.keys();
      promised(!locks || (!keys && keys.error() == memory_error::locked), "no keys in a locked vault");
      promised((*lock)->lock().has_value(), "a lock when there is memory");
      simulated::refuse_from(n);
      const bool unlocks = (*lock)->unlock(key, nullptr).has_value();
      simulated::refuse_nth(0);
      promised(!(*lock)->unlock(other, nullptr), "another key refused");
      promised(unlocks || (*lock)->unlock(key, nullptr), "its key taken");
      promised(on.is_as_it_was() && on.records.names().find("name") == on.ids[2], "the vault as it was");
      if (under_tsan) lockfast::refresher::stop();
    });
    CAPTURE(n);
    CAPTURE(end.text);
    CHECK((end.clean() || (end.signal == SIGABRT && end.said("access refused"))));
  }
}

TEST_CASE("a replace that is refused leaves the record of before") {
  CHECK(refuse_each([](scene& on) { return on.records.replace(on.ids[7], on.bytes()); },
                    [](scene& on, bool done) {
                      return on.is_as_it_was(7) && holds(on.records, on.ids[7], done ? traced(99, 700) : traced(7, 27));
                    }) >= 3);
}

TEST_CASE("an open that is refused opens nothing") {
  CHECK(refuse_each(
            [](scene& on) -> std::expected<void, memory_error> {
              const auto view = on.records.open(on.ids[3]);
              if (!view) return std::unexpected(view.error());
              promised(traced(3, 23).equals(view->span()), "the record");
              return {};
            },
            [](scene& on, bool) { return on.is_as_it_was(); }) >= 3);
}

TEST_CASE("a use of several that is refused opens none") {
  CHECK(refuse_each(
            [](scene& on) -> std::expected<void, memory_error> {
              const auto views = on.records.open(on.ids);
              if (!views) return std::unexpected(views.error());
              promised(traced(3, 23).equals((*views)[3]), "the record");
              return {};
            },
            [](scene& on, bool) { return on.is_as_it_was(); }) >= 5);
}

TEST_CASE("a re-key that is refused leaves every record whole, and the next one is done") {
  CHECK(refuse_each([](scene& on) { return on.records.rekey(); },
                    [](scene& on, bool) { return on.is_as_it_was() && on.records.rekey().has_value() && on.is_as_it_was(); }) >
        10);
}

TEST_CASE("a save that is refused leaves the file of before") {
  CHECK(refuse_each(
            [](scene& on) -> std::expected<void, memory_error> {
              prove(on.records.erase(on.ids[0]).has_value(), "an erased record");
              return save_vault(on.records, path, {.key = {.cost = 10}}, key_from(), nullptr);
            },
            [](scene& on, bool done) {
              const auto loaded = load_vault(path, key_from(), {});
              if (!loaded) return false;
              bool whole = !done || (*loaded)->size() == record_count - 1;
              whole = whole && ((*loaded)->size() == record_count || (*loaded)->size() == record_count - 1);
              for (std::uint64_t seed = 1; seed < record_count; ++seed) {
                whole = whole && holds(**loaded, on.ids[seed], traced(seed, 20 + seed)) &&
                        holds(on.records, on.ids[seed], traced(seed, 20 + seed));
              }
              return whole;
            }) >= 5);
}

TEST_CASE("a load that is refused leaves nothing, and the file") {
  std::unique_ptr<vault_state> loaded;
  CHECK(refuse_each(
            [&](scene&) -> std::expected<void, memory_error> {
              auto done = load_vault(path, key_from(), {});
              if (!done) return std::unexpected(done.error());
              loaded = std::move(*done);
              return {};
            },
            [&](scene& on, bool done) {
              const bool whole = !done || holds(*loaded, on.ids[3], traced(3, 23));
              loaded = nullptr;
              return whole && on.is_as_it_was() && load_vault(path, key_from(), {}).has_value();
            }) >= 5);
}

TEST_CASE("a re-key that was refused is not tried by every call that follows, and is done once when it can be") {
  // In a child, so that the tests that follow begin with a fresh allocator.
  check_clean(in_child([] {
    constexpr std::chrono::seconds age(1);
    constexpr std::chrono::seconds pause(1);  // after the first refusal
    {
      vault_state records(vault::options{.hot_records = 0, .key_age = age});
      const auto id = inserted(records, traced(1));
      const auto wait = [](auto time) { std::this_thread::sleep_for(time); };
      while (records.key_age() < age) wait(std::chrono::milliseconds(20));
      short_heap::refuse_nth(1);
      const auto refused_at = clock_type::now();
      (void)records.open(id);
      const bool refused = short_heap::refused();
      short_heap::refuse_nth(0);
      prove(refused, "a refusal");
      for (int call = 0; call < 5; ++call) {
        promised(holds(records, id, traced(1)), "a record that opens");
        promised(key_made_before(records, refused_at) || clock_type::now() >= refused_at + pause, "no re-key yet");
      }
      wait(pause + std::chrono::milliseconds(100));
      promised(holds(records, id, traced(1)), "a record that opens afterwards");
      promised(!key_made_before(records, refused_at), "a re-key");
    }
    if (under_tsan) lockfast::refresher::stop();
  }));
}
