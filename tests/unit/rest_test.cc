// rest_test.cc - closed secrets that are sealed, over the simulated host: which, when, and what becomes of their pages and bytes.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "allocator/isolated/sealed_record.h"
#include "allocator/isolated/span_region.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/receipt.h"
#include "unit/closed_secret.h"

namespace simulated = lockfast::simulated;
namespace platform = lockfast::platform;
using lockfast::internal::rest_key;
using lockfast::internal::sealed_record;

namespace {

constexpr std::size_t page = 4096;

// Ten times as many secrets as the budget has pages, all closed, opened one after the other, and freed.
void hold_many(std::size_t budget_pages, std::size_t size) {
  std::vector<void*> all;
  for (std::size_t at = 0; at < 10 * budget_pages; ++at) all.push_back(closed_secret(size, at));
  const auto now = statistics();
  promised(now.live == all.size() && now.live_unlocked == 0, "none is unlocked");
  promised(now.live_sealed >= all.size() - budget_pages, "those beyond the budget are sealed");
  promised(now.bytes_sealed == now.live_sealed * size, "and counted");
  promised(now.bytes_locked == simulated::bytes_locked() + simulated::bytes_hidden(), "what is locked is counted");
  for (std::size_t at = 0; at < all.size(); ++at) open_whole(all[at], size, at);
  for (std::size_t at = all.size(); at-- > 0;) open_whole(all[at], size, at);
  promised(lockfast_audit() == 0, "all whole");
  for (void* const each : all) lockfast_free(each);
  lockfast_trim();
  promised(statistics().live_sealed == 0 && statistics().bytes_locked == 0, "nothing is locked");
}

}  // namespace

TEST_CASE("as long as what is open at once fits the lock limit, any number of secrets is held, and none is unlocked") {
  for (const char* const policy : {"rest=auto", "rest=seal", "rest=auto,freed=recycle", "rest=auto,lock=preferred"}) {
    for (const bool moves : {true, false}) {
      for (const bool hidden : {true, false}) {
        CAPTURE(policy);
        CAPTURE(moves);
        CAPTURE(hidden);
        check_clean(in_child([&] {
          options(policy);
          simulated::set_moves(moves);
          simulated::set_lock_limit(hidden ? 0 : 16 * page);
          simulated::set_hidden_limit(hidden ? 16 * page : 0);
          hold_many(16, 32);
          hold_many(8, 5000);
        }));
      }
    }
  }
}

TEST_CASE("nothing is sealed while there is room, and a closed secret keeps its pages") {
  check_clean(in_child([] {
    std::vector<void*> all;
    for (std::size_t at = 0; at < 100; ++at) all.push_back(closed_secret(32, at));
    promised(statistics().live_sealed == 0, "none is sealed");
    promised(receipt_of(all[0]).rest == LOCKFAST_CLOSED && receipt_of(all[0]).rest_error == 0, "closed, says the receipt");
  }));
}

TEST_CASE("pages that are given back stay maps of their own while there are plenty, and count until their region goes") {
  check_clean(in_child([] {
    simulated::set_lock_limit(17 * page);
    simulated::set_map_limit(2000);
    simulated::count_maps(100);
    const auto joined_by = [](std::size_t count, std::size_t size) {
      std::vector<void*> all;
      for (std::size_t at = 0; at < count; ++at) all.push_back(closed_secret(size, at));
      for (std::size_t at = 0; at < count; ++at) open_whole(all[at], size, at);
      const std::size_t joined = simulated::count(simulated::call::vacate);
      promised(statistics().maps_used < 100 + 950, "half of what the others leave");
      for (void* const each : all) lockfast_free(each);
      promised(lockfast_trim() != 0, "trimmed");
      return joined;
    };
    // Each size has regions of its own.
    for (std::size_t pages = 1; pages < 4; ++pages) {
      promised(joined_by(350, pages * page - 100) == 0, "none is joined to what lies beside it");
    }
    promised(joined_by(800, 32) > 300, "most are where there are not plenty");
  }));
}

TEST_CASE("those that were closed first are sealed first, and opening counts") {
  check_clean(in_child([] {
    simulated::set_lock_limit(9 * page);
    std::vector<void*> all;
    for (std::size_t at = 0; at < 8; ++at) all.push_back(closed_secret(32, at));
    promised(statistics().live_sealed == 0, "eight and the key fit");
    open_whole(all[0], 32, 0);
    open_whole(all[2], 32, 2);
    for (std::size_t at = 8; at < 11; ++at) all.push_back(closed_secret(32, at));
    for (const std::size_t at : {1U, 3U, 4U}) promised(is_sealed(all[at]), "closed before the others, and not opened since");
    for (const std::size_t at : {0U, 2U, 5U, 6U, 7U, 8U, 9U, 10U}) promised(!is_sealed(all[at]), "closed later");
  }));
}

TEST_CASE("whatever is opened beyond the limit, no secret is sealed that was closed after one that is not") {
  for (const bool hidden : {true, false}) {
    CAPTURE(hidden);
    check_clean(in_child([&] {
      simulated::set_lock_limit(hidden ? 0 : 33 * page);
      simulated::set_hidden_limit(hidden ? 33 * page : 0);
      std::vector<void*> by_closing;  // the least recently closed one first
      for (std::size_t at = 0; at < 80; ++at) by_closing.push_back(closed_secret(32, at));
      for (std::size_t turn = 0; turn < 400; ++turn) {
        const auto opened = by_closing.begin() + static_cast<std::ptrdiff_t>(turn * turn % 61);
        promised(lockfast_protect(*opened, LOCKFAST_READONLY) == 0 && lockfast_protect(*opened, LOCKFAST_NOACCESS) == 0, "opened, closed");
        std::rotate(opened, opened + 1, by_closing.end());
        const auto first = std::ranges::find_if_not(by_closing, is_sealed);
        promised(by_closing.end() - first >= 31, "as many have pages as the limit allows");
        promised(std::none_of(first, by_closing.end(), is_sealed), "the least recently closed ones are sealed");
      }
    }));
  }
}

TEST_CASE("under rest=seal a secret is sealed when it is closed, under rest=keep never") {
  check_clean(in_child([] {
    options("rest=seal");
    void* const secret = closed_secret(32, 1);
    promised(is_sealed(secret) && receipt_of(secret).rest_error == 0, "sealed");
    promised(lockfast_size(secret) == 32 && lockfast_check(secret) == 0 && is_sealed(secret), "described and checked as it is");
    open_whole(secret, 32, 1);
    promised(is_sealed(secret), "sealed again");
    promised(lockfast_trim() > 0 && simulated::bytes_locked() == page, "its wiped page goes, the key's stays");
    open_whole(secret, 32, 1);
    lockfast_free(secret);
  }));
  check_clean(in_child([] {
    options("rest=keep");
    void* const secret = closed_secret(32, 1);
    promised(receipt_of(secret).rest == LOCKFAST_CLOSED && receipt_of(secret).rest_error == ECANCELED, "kept");
    lockfast_trim();
    promised(!is_sealed(secret) && simulated::bytes_locked() == page, "nor by a trim; and there is no key");
  }));
}

TEST_CASE("locked pages are kept for a secret that is opened again, and given up at once where many have their turns") {
  check_clean(in_child([] {
    options("rest=seal");
    std::vector<void*> all;
    for (std::size_t at = 0; at < 1000; ++at) all.push_back(closed_secret(32, at));
    // How many of these closings give pages up.
    const auto given_up = [&](std::size_t turns, std::size_t among) {
      std::size_t count = 0;
      for (std::size_t turn = 0; turn < turns; ++turn) {
        void* const secret = all[turn % among];
        prove(lockfast_protect(secret, LOCKFAST_READWRITE) == 0, "opened");
        const std::size_t before = simulated::count(simulated::call::discard);
        prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
        count += simulated::count(simulated::call::discard) - before;
      }
      return count;
    };
    promised(given_up(100, 1) < 20, "one keeps its page soon");
    promised(given_up(1000, 50) < 150, "and each of some");
    promised(given_up(1000, 1000) > 700, "where many have their turns nearly each gives its page up");
    promised(given_up(300, 3) < 50, "a few keep theirs soon again");
    for (std::size_t at = 0; at < all.size(); ++at) open_whole(all[at], 32, at);
  }));
}

TEST_CASE("hidden pages that go over leave the count of those that are kept wiped as it should be") {
  const auto many_closed = [] {
    // Of which an eighth may be kept wiped; only then no page is locked.
    simulated::set_lock_limit(40 * page);
    simulated::set_hidden_limit(9 * page);
    std::vector<void*> all{closed_secret(32, 0)};
    simulated::set_lock_limit(0);
    for (std::size_t at = 1; at < 20; ++at) all.push_back(closed_secret(32, at));
    return all;
  };
  check_clean(in_child([&] {
    options("rest=seal");
    const auto all = many_closed();
    for (std::size_t turn = 0; turn < 400; ++turn) open_whole(all[turn % 20], 32, turn % 20);
    const auto calls = [] { return simulated::count(simulated::call::map_hidden_twice) + simulated::count(simulated::call::hide); };
    const std::size_t before = calls();
    promised(before != 0, "pages went over");
    open_whole(all[19], 32, 19);
    promised(calls() == before, "what was opened last has kept its page");
  }));
  check_clean(in_child([&] {
    const auto all = many_closed();
    open_whole(all[0], 32, 0);
    // A second map, access, and what takes the first place: that is refused once.
    simulated::refuse_nth(3);
    open_whole(all[1], 32, 1);
    promised(simulated::refused() && simulated::count(simulated::call::vacate) != 0, "refused");
    simulated::set_hidden_limit(40 * page);
    for (std::size_t turn = 0; turn < 200; ++turn) open_whole(all[turn % 20], 32, turn % 20);
    promised(std::ranges::none_of(all, is_sealed), "each has a page of its own once there are enough");
  }));
}

TEST_CASE("the receipt of a sealed secret says how its key is kept, whatever pages it has itself") {
  check_clean(in_child([] {
    options("rest=seal");
    simulated::set_hidden_limit(page);
    void* const secret = lockfast_malloc_isolated(32);
    prove(receipt_of(secret).backing == LOCKFAST_HIDDEN, "the one page that can be hidden");
    prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0 && is_sealed(secret), "sealed");
    promised(receipt_of(secret).backing == LOCKFAST_LOCKED && receipt_of(secret).hide_error != 0, "the key's is locked");
  }));
}

TEST_CASE("pages that a sealed secret gives up are inaccessible, where pages cannot change places, too") {
  for (const bool moves : {true, false}) {
    CAPTURE(moves);
    check_clean(in_child([&] {
      simulated::set_moves(moves);
      void* const first = closed_secret(32, 1);
      prove(lockfast_trim() != 0 && is_sealed(first), "a key and a record");
      const std::size_t accessible = simulated::bytes_accessible();
      void* const second = closed_secret(32, 2);
      prove(lockfast_trim() != 0 && is_sealed(second), "sealed");
      promised(simulated::bytes_accessible() == accessible, "inaccessible");
      open_whole(second, 32, 2);
    }));
  }
}

TEST_CASE("a trim seals what is closed, and says how many bytes came back") {
  check_clean(in_child([] {
    std::vector<void*> all;
    for (std::size_t at = 0; at < 10; ++at) all.push_back(closed_secret(32, at));
    prove(simulated::bytes_locked() == 11 * page, "ten and the key");
    promised(lockfast_trim() == 10 * page, "ten pages");
    promised(simulated::bytes_locked() == page && statistics().live_sealed == 10, "the key's is left");
    for (std::size_t at = 0; at < 10; ++at) open_whole(all[at], 32, at);
  }));
}

TEST_CASE("what is open and does not fit the lock limit is refused with ENOMEM, and stays sealed and whole") {
  check_clean(in_child([] {
    simulated::set_lock_limit(5 * page);
    std::vector<void*> all;
    for (std::size_t at = 0; at < 20; ++at) all.push_back(closed_secret(32, at));
    for (std::size_t at = 0; at < 4; ++at)
      promised(lockfast_protect(all[at], LOCKFAST_READWRITE) == 0, "four fit beside the key");
    promised(lockfast_protect(all[9], LOCKFAST_READONLY) == -1 && errno == ENOMEM, "a fifth does not");
    promised(is_sealed(all[9]) && lockfast_check(all[9]) == 0, "sealed and whole");
    promised(lockfast_malloc_isolated(32) == nullptr && errno == ENOMEM, "nor a new one");
    promised(lockfast_protect(all[0], LOCKFAST_NOACCESS) == 0, "one is closed");
    open_whole(all[9], 32, 9);
    for (std::size_t at = 1; at < 4; ++at) promised(holds(all[at], 32, at), "the open ones are as they were");
    for (void* const each : all) lockfast_free(each);
  }));
}

TEST_CASE("under lock=preferred an opening beyond the limit goes on unlocked, and the receipt keeps that") {
  check_clean(in_child([] {
    options("lock=preferred");
    simulated::set_lock_limit(3 * page);
    std::vector<void*> all;
    for (std::size_t at = 0; at < 10; ++at) all.push_back(closed_secret(32, at));
    promised(statistics().live_unlocked == 0, "at rest none is unlocked");
    for (std::size_t at = 0; at < 3; ++at) promised(lockfast_protect(all[at], LOCKFAST_READWRITE) == 0, "opened");
    promised(receipt_of(all[1]).lock_error == 0, "two fit beside the key");
    promised(receipt_of(all[2]).lock_error == ENOMEM && receipt_of(all[2]).backing == LOCKFAST_UNLOCKED, "the third does not");
    promised(holds(all[2], 32, 2), "whole");
    for (std::size_t at = 0; at < 3; ++at) promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed");
    promised(is_sealed(all[2]) && receipt_of(all[2]).lock_error == ENOMEM, "sealed, and it may have been swapped before");
    open_whole(all[2], 32, 2);
    promised(receipt_of(all[2]).lock_error == ENOMEM && statistics().live_unlocked == 1, "remembered until it is freed");
    lockfast_free(all[2]);
    void* const next = lockfast_malloc_isolated(32);
    promised(next != nullptr && statistics().live_unlocked == 0 && receipt_of(next).lock_error == 0, "and not longer");
  }));
}

TEST_CASE("a secret that was unlocked once counts as unlocked alone, though its pages are hidden now") {
  check_clean(in_child([] {
    options("lock=preferred");
    simulated::set_lock_limit(0);
    simulated::set_hidden_limit(2 * page);
    void* const first = lockfast_malloc_isolated(32);
    void* const second = lockfast_malloc_isolated(32);
    prove(lockfast_protect(first, LOCKFAST_NOACCESS) == 0, "closed: its page becomes the key's");
    void* const third = lockfast_malloc_isolated(32);
    prove(receipt_of(third).backing == LOCKFAST_UNLOCKED && is_sealed(first), "no page for the third");
    prove(lockfast_protect(third, LOCKFAST_NOACCESS) == 0 && is_sealed(third), "sealed");
    lockfast_free(second);
    (void)lockfast_trim();
    prove(lockfast_protect(third, LOCKFAST_READWRITE) == 0, "opened");
    const lockfast_receipt found = receipt_of(third);
    prove(found.hide_error == 0 && found.backing == LOCKFAST_UNLOCKED, "in a hidden page, and unlocked before");
    const auto now = statistics();
    promised(now.live_unlocked == 1, "unlocked");
    promised(now.live_hidden == 1 && receipt_of(first).backing == LOCKFAST_HIDDEN, "the first alone is hidden");
  }));
}

TEST_CASE("where nothing can be locked nothing is sealed, and the receipt says why") {
  check_clean(in_child([] {
    options("lock=preferred,rest=seal");
    simulated::set_lock_limit(0);
    void* const secret = closed_secret(32, 1);
    promised(receipt_of(secret).rest == LOCKFAST_CLOSED && receipt_of(secret).rest_error == ENOMEM, "not sealed");
    promised(receipt_of(secret).lock_error == ENOMEM, "nor locked");
    open_whole(secret, 32, 1);
  }));
}

TEST_CASE("a sealed secret that is reallocated is closed and whole in its new size, and one that is freed leaves no record") {
  check_clean(in_child([] {
    options("rest=seal");
    void* secret = closed_secret(32, 1);
    secret = lockfast_realloc(secret, 5000);
    promised(secret != nullptr && lockfast_size(secret) == 5000 && is_sealed(secret), "moved, and sealed");
    promised(lockfast_protect(secret, LOCKFAST_READONLY) == 0 && holds(secret, 32, 1), "whole");
    lockfast_free(secret);
    promised(statistics().live == 0 && statistics().frees == 2, "freed");
  }));
}

TEST_CASE("what is sealed when all is wiped opens as zeros, and what is sealed afterwards is whole") {
  check_clean(in_child([] {
    options("rest=seal");
    void* const before = closed_secret(32, 1);
    lockfast_wipe_all();
    promised(lockfast_check(before) == 0 && lockfast_protect(before, LOCKFAST_READWRITE) == 0, "opened");
    for (std::size_t at = 0; at < 32; ++at) promised(static_cast<unsigned char*>(before)[at] == 0, "zeros");
    lockfast_free(before);
    void* const after = closed_secret(32, 2);
    open_whole(after, 32, 2);
  }));
}

TEST_CASE("a request of another kind has closed secrets sealed before it is refused") {
  check_clean(in_child([] {
    simulated::set_lock_limit(20 * page);
    std::vector<void*> all;
    for (std::size_t at = 0; at < 19; ++at) all.push_back(closed_secret(32, at));
    prove(statistics().live_sealed == 0, "all fit");
    void* const in_group = lockfast_malloc(32);
    promised(in_group != nullptr, "a grouped secret");
    void* const large = lockfast_malloc_isolated(5 * page);
    promised(large != nullptr, "a large one");
    for (std::size_t at = 0; at < 19; ++at) open_whole(all[at], 32, at);
  }));
}
