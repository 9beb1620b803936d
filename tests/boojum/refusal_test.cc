// refusal_test.cc - the nth call to the system refuses, for every n until none does: memory, locks, access, files.
//
// Each n has a process of its own, since a closed secret that the system will not open again to be wiped ends the process: that
// line is the only other way to end. That no page is unlocked, and no file removed or closed, unwiped is the simulated host's
// own check.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <csignal>
#include <functional>
#include <string>
#include <string_view>

#include "platform/simulated/simulated.h"
#include "support/child.h"

using namespace lockfast;

namespace {

using result = std::expected<void, memory_error>;

struct tally {
  int refusals = 0;

  // A value where there is one; a refusal is one of those that the system can be the cause of.
  template <class Value>
  bool had(const std::expected<Value, memory_error>& of) {
    if (of) return true;
    ++refusals;
    promised(of.error() == memory_error::denied || of.error() == memory_error::file_system ||
                 of.error() == memory_error::unavailable,
             "a refusal of the system's");
    return false;
  }
};

// Whether a buffer holds `size` bytes of one value; asked when the system refuses no more.
bool holds(const std::expected<buffer<std::byte>, memory_error>& whole, std::size_t size, std::byte value) {
  if (!whole || whole->size() != size) return false;
  const auto view = whole->read();
  for (const std::byte byte : view) {
    if (byte != value) return false;
  }
  return true;
}

std::expected<buffer<std::byte>, memory_error> made_of(std::size_t size, std::byte value) {
  return buffer<std::byte>::filled(size, [&](std::span<std::byte> out) {
    for (std::byte& byte : out) byte = value;
  });
}

// Everything that can be done with a secret, while one call refuses; and afterwards the value is whole.
template <class Memory>
void live(const typename Memory::options& chosen, std::size_t n) {
  tally one;
  const auto value = made_of(40, std::byte{7});
  auto next = made_of(50, std::byte{9});
  prove(value && next, "values");
  auto given = value->copy();
  prove(given.has_value(), "a value to give");
  simulated::refuse_nth(n);

  auto held = Memory::create(std::move(*given), chosen);
  bool is_next = false;
  if (one.had(held)) {
    (void)one.had(held->unlock());
    if constexpr (requires { held->refresh(); }) {
      (void)one.had(held->refresh());
      (void)one.had(held->refresh(refresh_target::change));
      (void)one.had(held->refresh(refresh_target::change));
      (void)one.had(held->refresh(refresh_target::keep));
    }
    (void)one.had(held->copy());
    if (auto updated = std::move(*held).update(std::move(*next)); one.had(updated)) {
      *held = std::move(*updated);
      is_next = true;
    }
    (void)one.had(held->unlock());
  }
  const bool refused = simulated::refused();
  simulated::refuse_nth(0);
  promised(one.refusals <= 1, "one refused call is one refusal");
  if (held) {
    promised(is_next ? holds(held->unlock(), 50, std::byte{9}) : holds(held->unlock(), 40, std::byte{7}), "the value is whole");
    promised(held->wipe().has_value(), "what is left is wiped");
  }
  promised(simulated::files_left() == 0, "no file is left");
  struct lockfast_statistics left = {};
  lockfast_get_statistics(&left);
  promised(left.live == (is_next || next->empty() ? 1U : 2U), "no secret is left");
  if (!refused) _exit(42);
}

// Runs every n until the last call has been refused; gives how many there were.
template <class Memory>
std::size_t refuse_each(const typename Memory::options& chosen) {
  for (std::size_t n = 1;; ++n) {
    CAPTURE(n);
    const auto end = in_child([&] { live<Memory>(chosen, n); });
    if (end.signal == 0 && end.status == 42) return n;
    CAPTURE(end.text);
    const bool said_why = end.signal == SIGABRT &&
                          end.text == "lockfast: access refused: the system would not change the access of a secret's pages\n";
    const bool well = end.clean() || said_why;
    CHECK(well);
    if (!well) return 0;
  }
}

}  // namespace

TEST_CASE("a refusal of any one call leaves a secret in RAM whole or not there") {
  refresher::stop();
  CHECK(refuse_each<ram_memory>({}) > 8);
}

TEST_CASE("a refusal of any one call leaves a sealed file whole or not there") {
  refresher::stop();
  CHECK(refuse_each<file_memory>({.prekey = 32}) > 40);
}

TEST_CASE("a refusal of any one call leaves a split secret whole or not there, and its files with it") {
  refresher::stop();
  using enum share_place;
  CHECK(refuse_each<non_contiguous_memory>({.shares = {ram, ram}, .prekey = 32}) > 40);
  CHECK(refuse_each<non_contiguous_memory>({.shares = {ram, file}, .prekey = 32}) > 60);
  CHECK(refuse_each<non_contiguous_memory>({.shares = {file, ram, file}, .prekey = 32}) > 80);
}

TEST_CASE("a wipe of which the system refuses a part says so, and the secret is gone all the same") {
  refresher::stop();
  constexpr int told = 43;
  constexpr int none_left = 42;
  const auto check_wipe = [](auto make) {
    int times = 0;
    for (std::size_t n = 1;; ++n) {
      const auto end = in_child([&] {
        auto held = make();
        prove(held.has_value(), "a secret");
        simulated::refuse_nth(n);
        const auto wiped = held->wipe();
        const bool refused = simulated::refused();
        simulated::refuse_nth(0);
        promised(wiped || wiped.error() == memory_error::file_system, "the refusal is told");
        promised(held->unlock().error() == memory_error::wiped, "the secret is gone");
        promised(simulated::files_left() == 0, "no file is left");
        _exit(!refused ? none_left : wiped ? 0 : told);
      });
      CAPTURE(end.text);
      if (end.signal == 0 && end.status == none_left) break;
      times += end.status == told;
      const bool well = end.clean() || end.status == told || (end.signal == SIGABRT && end.said("access refused"));
      REQUIRE(well);
    }
    CHECK(times >= 3);  // the length, a write, the sync
  };
  check_wipe([] { return file_memory::create(*made_of(40, std::byte{7}), {.prekey = 32}); });
  check_wipe([] {
    return non_contiguous_memory::create(*made_of(40, std::byte{7}), {.shares = {share_place::ram, share_place::file}, .prekey = 32});
  });
}

TEST_CASE("a refusal of any one call leaves a passphrase as it was, or not there") {
  refresher::stop();
  std::size_t n = 1;
  for (;; ++n) {
    CAPTURE(n);
    const auto end = in_child([&] {
      tally one;
      std::string typed = "a first passphrase";
      std::string second = "another";
      simulated::refuse_nth(n);
      auto phrase = passphrase::take(std::span<char>(typed), {.prekey = 32});
      const char* expected = "a first passphrase";
      if (one.had(phrase)) {
        promised(typed == std::string(typed.size(), '\0'), "what was taken is wiped");
        (void)one.had(phrase->use([](std::span<const std::byte>) {}));
        (void)one.had(phrase->equals(std::string_view("x")));
        (void)one.had(phrase->derive({}, {.work = 1}));
        if (one.had(phrase->replace(std::span<char>(second), [](std::span<const std::byte>) {}))) expected = "another";
      } else {
        promised(typed == "a first passphrase", "what was not taken is there");
      }
      const bool refused = simulated::refused();
      simulated::refuse_nth(0);
      promised(one.refusals <= 1, "one refused call is one refusal");
      if (phrase) {
        const auto same = phrase->equals(std::string_view(expected));
        promised(same && *same, "the passphrase is whole");
        promised((second == "another") == (std::string_view(expected) != "another"), "a refused one is not wiped");
        phrase->clear();
      }
      struct lockfast_statistics left = {};
      lockfast_get_statistics(&left);
      promised(left.live == 0, "no secret is left");
      if (!refused) _exit(42);
    });
    if (end.signal == 0 && end.status == 42) break;
    CAPTURE(end.text);
    const bool said_why = end.signal == SIGABRT && end.said("access refused");
    const bool well = end.clean() || said_why;
    REQUIRE(well);
  }
  CHECK(n > 40);
}
