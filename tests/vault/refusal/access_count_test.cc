// access_count_test.cc - how often the vault changes the access of pages, over the simulated host, which counts.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>
#include <lockfast/boojum.hpp>
#include <lockfast/vault.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>

#include "platform/simulated/simulated.h"
#include "support/child.h"
#include "support/traced.h"

using lockfast::vault;
namespace simulated = lockfast::simulated;

namespace {

// What a child leaves with when it kept every promise.
constexpr int kept = 40;

// The fewest changes in several turns: the refresher mixes keys, and a lease that ends between two calls has the key opened again.
std::size_t changes_of(const std::function<bool()>& call) {
  std::size_t fewest = SIZE_MAX;
  for (int turn = 0; turn < 50; ++turn) {
    const std::size_t before = simulated::count(simulated::call::protect);
    prove(call(), "the call");
    fewest = std::min(fewest, simulated::count(simulated::call::protect) - before);
  }
  return fewest;
}

// In a child, so that the other tests begin with a fresh allocator.
void check_in_child(const std::function<void()>& body) {
  const ending end = in_child([&] {
    body();
    lockfast::refresher::stop();
    _exit(kept);
  });
  CAPTURE(end.text);
  CHECK(end.signal == 0);
  CHECK(end.status == kept);
}

vault::id inserted(vault& records, const lockfast::buffer<std::byte>& secret) {
  const auto id = records.insert(secret);
  prove(id.has_value(), "a record");
  return *id;
}

lockfast_access access_of(const std::byte* bytes) {
  struct lockfast_receipt receipt = {};
  prove(lockfast_describe(bytes, &receipt) == 0, "a receipt");
  return receipt.access;
}

}  // namespace

TEST_CASE("calls that follow one another change access for their own secrets alone") {
  check_in_child([] {
    vault records(vault::options{.hot_records = 0});
    const auto secret = traced(1, 32).buffer();
    const auto id = inserted(records, secret);
    // The caller's buffer is opened and closed.
    promised(changes_of([&] { return records.insert(secret).has_value(); }) == 2, "two for an insert");
    promised(changes_of([&] { return records.replace(id, secret).has_value(); }) == 2, "two for a replace");
    // A buffer that is given is opened for both ends, sealing and wiping. It was made by two changes.
    const auto given = [] { return traced(1, 32).buffer(); };
    promised(changes_of([&] { return records.insert(given()).has_value(); }) == 2 + 2, "two for an insert of what is given");
    promised(changes_of([&] { return records.replace(id, given()).has_value(); }) == 2 + 2, "two for a replacement that is given");
    // A block is opened, made readable, opened to be wiped, and closed.
    promised(changes_of([&] { return records.open(id).has_value(); }) == 4, "four for an open");
  });
}

TEST_CASE("without a lease each call opens and closes both shares of the key") {
  check_in_child([] {
    vault records(vault::options{.hot_records = 0, .key_lease = std::chrono::milliseconds(0)});
    const auto secret = traced(1, 32).buffer();
    const auto id = inserted(records, secret);
    promised(changes_of([&] { return records.insert(secret).has_value(); }) == 6, "six for an insert");
    promised(changes_of([&] { return records.open(id).has_value(); }) == 8, "eight for an open");
  });
}

TEST_CASE("an unlock changes access for each share and for its buffer alone, however long the prekey is") {
  check_in_child([] {
    lockfast::refresher::stop();
    for (const std::size_t prekey : {std::size_t{32}, std::size_t{16 * 1024}, std::size_t{64 * 1024}}) {
      const auto held = lockfast::non_contiguous_memory::create(traced(1, 32).buffer(), {.prekey = prekey});
      prove(held.has_value(), "a split secret");
      // Two shares are opened and closed; the buffer is made and closed, and at its end opened and closed.
      promised(changes_of([&] { return held->unlock().has_value(); }) == 4 + 2 + 2, "eight for an unlock and the end of its buffer");
      promised(changes_of([&] { return held->refresh().has_value(); }) == 4, "four for a refresh");
    }
  });
}

TEST_CASE("a view whose record stays cached closes it") {
  check_in_child([] {
    vault records;
    const auto id = inserted(records, traced(1, 32).buffer());
    const std::byte* bytes = nullptr;
    {
      const auto view = records.open(id);
      prove(view.has_value(), "a view");
      bytes = view->data();
      promised(access_of(bytes) == LOCKFAST_READONLY, "an open record");
    }
    promised(access_of(bytes) == LOCKFAST_NOACCESS, "a closed record");
  });
}
