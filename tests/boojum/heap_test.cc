// heap_test.cc - the nth block of the ordinary heap is refused, for every n until none is: a refusal, never an exception.
//
// The system refuses nothing here, so this is the real host, whose part of the heap is none. Each n has a process of its own.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <algorithm>
#include <array>
#include <cstdio>

#include "boojum/crypto/scrypt.h"
#include "boojum/places.h"
#include "support/check.h"
#include "support/child.h"
#include "support/sanitized.h"
#include "support/short_heap.h"

using namespace lockfast;

namespace {

constexpr int none_left = 42;

// libcrypto's own start is not ours to test; it may hang where the heap is short.
void start_libcrypto() {
  auto phrase = passphrase::take(buffer<std::byte>::zeroed(8).value(), {.prekey = 32});
  prove(phrase && phrase->derive({}, {.work = 1}), "a key");
  const auto held = file_memory::create(buffer<std::byte>::zeroed(100).value());
  prove(held && held->unlock(), "a sealed file");
}

struct tally {
  int refusals = 0;

  template <class Value>
  bool had(const std::expected<Value, memory_error>& of) {
    if (of) return true;
    ++refusals;
    promised(of.error() == memory_error::denied, "a refusal of memory");
    return false;
  }
};

std::size_t live_secrets() {
  struct lockfast_statistics now = {};
  lockfast_get_statistics(&now);
  return now.live;
}

template <class Memory>
void live(const typename Memory::options& chosen, std::size_t n) {
  start_libcrypto();
  refresher::stop();
  const auto value = buffer<std::byte>::random(40);
  auto given = value->copy();
  auto next = buffer<std::byte>::random(50);
  auto options = chosen;
  prove(value && given && next, "values");
  tally one;
  bool is_next = false;
  const auto next_value = next->copy();
  short_heap::refuse_nth(n);
  auto held = Memory::create(std::move(*given), std::move(options));
  if (one.had(held)) {
    (void)one.had(held->unlock());
    if constexpr (requires { held->refresh(); }) {
      (void)one.had(held->refresh());
      (void)one.had(held->refresh(refresh_target::change));
    }
    (void)one.had(held->copy());
    if (auto updated = std::move(*held).update(std::move(*next)); one.had(updated)) {
      *held = std::move(*updated);
      is_next = true;
    }
  }
  const bool refused = short_heap::refused();
  short_heap::refuse_nth(0);
  promised(one.refusals <= 1, "one refused block is one refusal");
  if (held) {
    const auto whole = held->unlock();
    promised(whole && *whole == (is_next ? *next_value : *value), "the value is whole");
    promised(held->wipe().has_value(), "what is left is wiped");
  }
  promised(live_secrets() == (next->empty() ? 2U : 3U), "no secret is left");
  if (!refused) leave_with(none_left);
}

void live_passphrase(std::size_t n) {
  start_libcrypto();
  refresher::stop();
  tally one;
  std::string typed = "a first passphrase, longer than a string object";
  std::string second = "another passphrase, longer than a string object";
  const std::string before = typed;
  const std::string after = second;
  short_heap::refuse_nth(n);
  auto phrase = passphrase::take(std::span<char>(typed), {.prekey = 32});
  bool is_next = false;
  if (one.had(phrase)) {
    (void)one.had(phrase->equals(std::span<const char>(before)));
    (void)one.had(phrase->derive({}, {.work = 1}));
    is_next = one.had(phrase->replace(std::span<char>(second), [](std::span<const std::byte>) {}));
  }
  const bool refused = short_heap::refused();
  short_heap::refuse_nth(0);
  promised(one.refusals <= 1, "one refused block is one refusal");
  promised(phrase || typed == before, "what was not taken is there");
  promised(!phrase || phrase->equals(std::span<const char>(is_next ? after : before)).value(), "the passphrase is whole");
  if (phrase) phrase->clear();
  promised(live_secrets() == 0, "no secret is left");
  if (!refused) leave_with(none_left);
}

// Several records at once, one replaced, a file saved and loaded: whichever of these a short heap refuses, the others hold.
void live_vault(const std::string& file, std::size_t n) {
  start_libcrypto();
  refresher::stop();
  auto phrase = passphrase::take(buffer<std::byte>::zeroed(8).value(), {.prekey = 32});
  const auto first = buffer<std::byte>::random(40);
  const auto second = buffer<std::byte>::random(50);
  prove(phrase && first && second, "values");
  vault records;
  tally one;
  vault::id ids[2] = {};
  bool is_saved = false;
  std::expected<vault, memory_error> loaded = std::unexpected(memory_error::not_found);
  {
    const auto left = first->read();
    const auto right = second->read();
    const std::span<const std::byte> both[] = {left, right};
    short_heap::refuse_nth(n);
    if (one.had(records.insert(both, ids))) {
      (void)one.had(records.open(ids[0]));
      (void)one.had(records.replace(ids[1], *second));
      is_saved = one.had(records.save(file, *phrase, {.cost = 10}));
    }
  }
  if (is_saved) {
    loaded = vault::load(file, *phrase);
    (void)one.had(loaded);
  }
  const bool refused = short_heap::refused();
  short_heap::refuse_nth(0);
  promised(one.refusals <= 1, "one refused block is one refusal");
  promised(records.size() == (ids[0] == vault::id() ? 0U : 2U), "all records, or none");
  promised(std::filesystem::exists(file) == is_saved, "a file, or none");
  promised(!loaded || loaded->size() == 2, "what was loaded has its records");
  for (vault* const each : {&records, loaded ? &*loaded : nullptr}) {
    if (each == nullptr || each->empty()) continue;
    const auto left = each->open(ids[0]);
    const auto right = each->open(ids[1]);
    promised(left && right && std::ranges::equal(*left, first->read()) && std::ranges::equal(*right, second->read()),
             "whole records");
  }
  std::filesystem::remove(file);
  if (!refused) leave_with(none_left);
}

std::size_t refuse_each(const std::function<void(std::size_t)>& body) {
  for (std::size_t n = 1;; ++n) {
    CAPTURE(n);
    const auto end = in_child([&] { body(n); });
    if (end.signal == 0 && end.status == none_left) return n;
    CAPTURE(end.text);
    CAPTURE(end.signal);
    REQUIRE(end.clean());
  }
}

template <class Memory>
std::size_t refuse_each_of(const typename Memory::options& chosen) {
  return refuse_each([&](std::size_t n) { live<Memory>(chosen, n); });
}

}  // namespace

TEST_CASE("an ordinary heap that is short at any one moment leaves a secret whole or not there") {
  const own_directory files;
  using enum share_place;
  CHECK(refuse_each_of<ram_memory>({}) > 2);
  CHECK(refuse_each_of<file_memory>({.directory = files.path(), .prekey = 32}) > 20);
  CHECK(refuse_each_of<non_contiguous_memory>({.shares = {ram, ram}, .prekey = 32}) > 20);
  CHECK(refuse_each_of<non_contiguous_memory>({.shares = {file, ram, file}, .prekey = 100, .directory = files.path()}) > 40);
  CHECK(std::filesystem::is_empty(files.path()));
}

TEST_CASE("an ordinary heap that is short is a refusal by the default options, too") {
  CHECK(refuse_each([](std::size_t n) {
          start_libcrypto();
          refresher::stop();
          auto value = buffer<std::byte>::random(8);
          short_heap::refuse_nth(n);
          const auto made = non_contiguous_memory::create(std::move(*value));
          const bool refused = short_heap::refused();
          short_heap::refuse_nth(0);
          promised(made.has_value() || made.error() == memory_error::denied, "a refusal of memory");
          if (!refused) leave_with(none_left);
        }) > 5);
}

TEST_CASE("an ordinary heap that is short at any one moment leaves a passphrase as it was, or not there") {
  CHECK(refuse_each(live_passphrase) > 20);
}

TEST_CASE(
    "an ordinary heap that is short at any one moment leaves all records of a vault, or none, and a whole file, or none") {
  const own_directory files;
  CHECK(refuse_each([&](std::size_t n) { live_vault(files.path() + "/records", n); }) > 40);
  CHECK(std::filesystem::is_empty(files.path()));
}

int main(int argc, char** argv) {
  if (under_tsan) {
    std::puts("The thread sanitizer has operators of its own: not tried");
    return 0;
  }
  if (!short_heap::install(short_heap::asked::in_any_way)) {
    std::fputs("libcrypto was used before the tests began\n", stderr);
    return 1;
  }
  return doctest::Context(argc, argv).run();
}

TEST_CASE("scrypt asks for no memory beyond its limit, and wipes what it had") {
  if (under_tsan) return;
  check_clean(in_child([] {
    prove(short_heap::install(short_heap::asked::in_any_way), "a heap of the test's own");
    const std::array<std::byte, 32> password = {};
    std::array<std::byte, 32> out = {};
    short_heap::refuse_nth(1);
    promised(!internal::scrypt(password, {}, 24, 64, 1, out), "128 GiB are refused");
    promised(!short_heap::refused(), "without a request");
    short_heap::refuse_nth(0);
    static std::size_t large = 0;
    static std::size_t left = 0;
    constexpr std::size_t memory_size = 128 << 6;
    short_heap::look_at_freed([](const std::byte* block, std::size_t size) {
      if (size < memory_size) return;
      ++large;
      left += static_cast<std::size_t>(memory_size -
                                       static_cast<std::size_t>(std::count(block, block + memory_size, std::byte{0})));
    });
    promised(internal::scrypt(password, {}, 6, 1, 1, out), "a key");
    promised(large >= 1 && left == 0, "zeros in what it gave back");
  }));
}
