// page_run_test.cc - pages opened hidden, locked or neither, and given back, over the simulated host.
#include "allocator/pages/page_run.h"

#include <doctest/doctest.h>

#include <cerrno>
#include <cstddef>

#include "platform/simulated/simulated.h"

using namespace lockfast::internal;
using enum page_run::lock_wanted;
namespace platform = lockfast::platform;
namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;

struct region_of_nothing : region {
  region_of_nothing() : region(kind::spans) {}
};

// Some reserved pages, and the run that is to be opened in them.
struct place {
  explicit place(std::size_t page_count) : size(page_count * page) {
    simulated::reset();
    simulated::set_lock_limit(SIZE_MAX);
    simulated::set_hidden_limit(0);
    begin = platform::reserve(size, page, platform::fork_policy::absent).address;
    REQUIRE(begin != nullptr);
    accessible_before = simulated::bytes_accessible();
    locked_before = simulated::bytes_locked();
  }
  ~place() {
    simulated::set_lock_limit(SIZE_MAX);
    simulated::set_hidden_limit(0);
    platform::release(begin, size);
  }
  platform::error open(std::size_t bytes, page_run::opening how) {
    return run.open(fork_exclusion::scope(), in, begin + run.size(), bytes, how);
  }
  // closing: why the pages cannot be closed, or 0.
  page_run::outcome give_back(std::size_t locked, platform::error closing = 0) {
    const fork_exclusion::scope held;
    const auto close = [&] {
      return closing != 0 ? closing : platform::protect(run.begin(), run.size(), platform::access::none);
    };
    const auto outcome = run.give_back(held, in, locked, close);
    if (outcome == page_run::outcome::given_back) run.forget();
    return outcome;
  }
  [[nodiscard]] std::size_t accessible() const { return simulated::bytes_accessible() - accessible_before; }
  [[nodiscard]] std::size_t locked() const { return simulated::bytes_locked() - locked_before; }

  region_of_nothing in;
  page_run run;
  std::byte* begin;
  std::size_t size;
  std::size_t accessible_before;
  std::size_t locked_before;
};

}  // namespace

TEST_CASE("pages are hidden, otherwise locked, otherwise refused or open without the lock") {
  place at(4);
  simulated::set_hidden_limit(page);
  REQUIRE(at.open(page, {always, 0}) == 0);
  CHECK(at.run.hidden());
  CHECK(at.run.lock_error() == 0);
  CHECK(at.give_back(page) == page_run::outcome::given_back);
  CHECK(at.run.empty());
  CHECK_FALSE(at.run.hidden());

  simulated::set_hidden_limit(0);
  REQUIRE(at.open(2 * page, {always, 0}) == 0);
  CHECK_FALSE(at.run.hidden());
  CHECK(at.run.hide_error() != 0);
  CHECK(at.locked() == 2 * page);
  const std::size_t discards = simulated::count(simulated::call::discard);
  CHECK(at.give_back(2 * page) == page_run::outcome::given_back);
  CHECK(simulated::count(simulated::call::discard) == discards + 1);
  CHECK(at.locked() == 0);
  CHECK(at.accessible() == 0);

  simulated::set_lock_limit(simulated::bytes_locked());
  CHECK(at.open(page, {always, ECANCELED}) == ENOMEM);
  CHECK(at.run.empty());
  CHECK(at.run.begin() == nullptr);
  CHECK(at.accessible() == 0);
  REQUIRE(at.open(page, {if_possible, ECANCELED}) == 0);
  CHECK(at.run.lock_error() == ENOMEM);
  CHECK(at.run.hide_error() == ECANCELED);
  CHECK(at.give_back(0) == page_run::outcome::given_back);
  CHECK(at.accessible() == 0);
}

TEST_CASE("pages are closed after their frames are gone, and before that where open pages would get new ones") {
  for (const bool keeps_frames_of_open : {false, true}) {
    place at(1);
    simulated::set_closing_unlocks(keeps_frames_of_open);
    REQUIRE(at.open(page, {always, ECANCELED}) == 0);
    const auto discards = [before = simulated::count(simulated::call::discard)] {
      return simulated::count(simulated::call::discard) - before;
    };
    const fork_exclusion::scope held;
    std::size_t when_closed = 2;
    const auto close = [&] {
      when_closed = discards();
      return platform::protect(at.begin, page, platform::access::none);
    };
    CHECK(at.run.give_back(held, at.in, page, close) == page_run::outcome::given_back);
    CHECK(when_closed == (keeps_frames_of_open ? 0 : 1));
    CHECK(discards() == 1);
    at.run.forget();
    simulated::set_closing_unlocks(false);
  }
}

TEST_CASE("pages behind some without a lock have none either") {
  place at(4);
  simulated::set_lock_limit(simulated::bytes_locked() + page);
  REQUIRE(at.open(page, {always, ECANCELED}) == 0);
  REQUIRE(at.open(page, {if_possible, ECANCELED}) == 0);
  simulated::set_lock_limit(SIZE_MAX);
  REQUIRE(at.open(page, {if_possible, ECANCELED}) == 0);
  CHECK(at.run.size() == 3 * page);
  CHECK(at.locked() == page);
  CHECK(at.run.lock_error() == ENOMEM);
  CHECK(at.open(page, {always, ECANCELED}) == ENOMEM);
  CHECK(at.accessible() == 3 * page);
  CHECK(at.give_back(page) == page_run::outcome::given_back);
}

TEST_CASE("pages that cannot be closed are locked again, and those that had no lock still say why") {
  place at(2);
  simulated::set_lock_limit(simulated::bytes_locked() + page);
  REQUIRE(at.open(page, {always, ECANCELED}) == 0);
  REQUIRE(at.open(page, {if_possible, ECANCELED}) == 0);
  CHECK(at.give_back(page, EPERM) == page_run::outcome::kept);
  CHECK(at.run.size() == 2 * page);
  CHECK(at.locked() == page);
  CHECK(at.run.lock_error() == ENOMEM);
  simulated::refuse_nth(1);
  CHECK(at.give_back(page, EPERM) == page_run::outcome::unlocked);
  REQUIRE(simulated::refused());
  CHECK(at.locked() == 0);
  CHECK(at.run.lock_error() == ENOMEM);
  CHECK(at.give_back(0) == page_run::outcome::given_back);
  CHECK(at.accessible() == 0);
}

TEST_CASE("pages that the system does not unlock or take back are the run's as before") {
  place at(1);
  for (const std::size_t hidden_limit : {std::size_t{0}, page}) {
    simulated::set_hidden_limit(hidden_limit);
    REQUIRE(at.open(page, {always, 0}) == 0);
    simulated::set_keeps_pages(true);
    CHECK(at.give_back(page) == page_run::outcome::kept);
    simulated::set_keeps_pages(false);
    CHECK(at.run.size() == page);
    CHECK(at.run.lock_error() == 0);
    CHECK(at.run.hidden() == (hidden_limit != 0));
    CHECK(at.give_back(page) == page_run::outcome::given_back);
  }
}

TEST_CASE("a lock that something took off is taken again, or the run says why it is not") {
  place at(1);
  REQUIRE(at.open(page, {always, ECANCELED}) == 0);
  REQUIRE(platform::unlock(at.begin, page) == 0);
  CHECK(page_run::lock_lost(at.begin, page));
  CHECK(at.run.renew_lock(page) == 0);
  CHECK(at.locked() == page);
  REQUIRE(platform::unlock(at.begin, page) == 0);
  simulated::set_lock_limit(simulated::bytes_locked());
  CHECK(at.run.renew_lock(page) == ENOMEM);
  CHECK(at.run.lock_error() == ENOMEM);
  CHECK(at.give_back(0) == page_run::outcome::given_back);
}
