// rest_key_page_test.cc - the page of the key that seals closed secrets, over the simulated host: whose it is, when it is taken and given back.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstring>

#include "allocator/isolated/rest_key.h"
#include "allocator/isolated/sealed_record.h"
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

}  // namespace

TEST_CASE("a trim gives the key's page back once no isolated secret is live, and the next closing takes one") {
  for (const bool hidden : {true, false}) {
    CAPTURE(hidden);
    check_clean(in_child([&] {
      options("rest=seal");
      if (!hidden) simulated::set_hidden_limit(0);
      void* const first = closed_secret(32, 1);
      promised(receipt_of(first).rest == LOCKFAST_SEALED, "sealed");
      lockfast_trim();
      promised(statistics().bytes_locked == page, "the key's page stays while a record needs it");
      open_whole(first, 32, 1);
      lockfast_free(first);
      promised(lockfast_trim() >= page && statistics().bytes_locked == 0, "given back, and counted");
      promised(simulated::bytes_locked() + simulated::bytes_hidden() == 0, "on the host, too");
      void* const second = closed_secret(32, 2);
      promised(receipt_of(second).rest == LOCKFAST_SEALED, "sealed under a new key");
      open_whole(second, 32, 2);
      lockfast_wipe_all();
      promised(lockfast_protect(second, LOCKFAST_READONLY) == 0, "opened");
      const std::byte zeros[32] = {};
      promised(std::memcmp(second, zeros, sizeof zeros) == 0, "gone with its key");
      lockfast_free(second);
    }));
  }
}

TEST_CASE("a key's page that the system does not take back stays, with a new key in it") {
  for (const platform::error hide_error : {0, EPERM}) {
    CAPTURE(hide_error);
    check_clean(in_child([&] {
      rest_key key;
      key.prepare(platform::fork_policy::absent, hide_error);
      sealed_record* const record = sealed_record::take(32);
      const std::byte plain[32] = {};
      promised(key.seal({1, 32, 1}, plain, 32, *record) == 0, "sealed");
      promised(key.give_back([](void*) { return false; }, nullptr) == 0 && key.refusal() == 0, "it stays while it is needed");
      promised(key.verify({1, 32, 1}, *record, 32) == rest_key::outcome::opened, "with its key");
      const auto always = [](void*) { return true; };
      simulated::set_keeps_pages(true);
      promised(key.give_back(always, nullptr) == 0 && key.refusal() == 0, "the system does not take it");
      simulated::set_keeps_pages(false);
      const auto drawn = simulated::count(simulated::call::random);
      promised(key.seal({1, 32, 2}, plain, 32, *record) == 0, "sealed again");
      promised(simulated::count(simulated::call::random) > drawn, "under a new key");
      promised(key.verify({1, 32, 2}, *record, 32) == rest_key::outcome::opened, "which opens it");
      promised(key.give_back(always, nullptr) == page && key.refusal() != 0, "given back in the end");
      promised(simulated::bytes_locked() + simulated::bytes_hidden() == 0, "nothing is locked");
    }));
  }
}

TEST_CASE("before a secret was ever closed, and after the key's page was given back, its receipt knows no reason against sealing") {
  check_clean(in_child([] {
    options("rest=seal");
    void* const first = lockfast_malloc_isolated(32);
    promised(receipt_of(first).rest_error == 0, "before the first closing");
    promised(lockfast_protect(first, LOCKFAST_NOACCESS) == 0 && is_sealed(first), "sealed");
    lockfast_free(first);
    prove(lockfast_trim() != 0 && simulated::bytes_locked() + simulated::bytes_hidden() == 0, "the key's page is given back");
    promised(receipt_of(lockfast_malloc_isolated(32)).rest_error == 0, "after it");
  }));
}

TEST_CASE("without random bytes for a key a secret is closed and not sealed, and the next closing tries again") {
  check_clean(in_child([] {
    options("rest=seal");
    void* const one = closed_secret(32, 1);
    promised(is_sealed(one) && lockfast_protect(one, LOCKFAST_READWRITE) == 0, "sealed at first");
    lockfast_free(one);
    void* const open = closed_secret(32, 2);
    prove(lockfast_protect(open, LOCKFAST_READWRITE) == 0, "opened");
    simulated::set_generator(false);
    promised(lockfast_protect(open, LOCKFAST_NOACCESS) == 0, "closed");
    promised(is_sealed(open), "under the key that was drawn");
    promised(lockfast_protect(open, LOCKFAST_READWRITE) == 0, "opened");
  }));
  check_clean(in_child([] {
    options("rest=seal");
    void* const open = lockfast_malloc_isolated(32);
    write_into(open, 32, 3);
    simulated::set_generator(false);
    promised(lockfast_protect(open, LOCKFAST_NOACCESS) == 0, "closed");
    promised(!is_sealed(open) && receipt_of(open).rest_error != 0, "not sealed, says the receipt");
    promised(lockfast_protect(open, LOCKFAST_READWRITE) == 0 && holds(open, 32, 3), "whole");
    simulated::set_generator(true);
    promised(lockfast_protect(open, LOCKFAST_NOACCESS) == 0 && is_sealed(open), "sealed");
    promised(lockfast_protect(open, LOCKFAST_READWRITE) == 0 && holds(open, 32, 3), "whole again");
    lockfast_free(open);
  }));
}

TEST_CASE("secrets that were all open before the first was closed are sealed as well, under a key in a page of theirs") {
  for (const bool hidden : {true, false}) {
    for (const bool backwards : {true, false}) {
      CAPTURE(hidden);
      CAPTURE(backwards);
      check_clean(in_child([&] {
        options("lock=preferred");
        simulated::set_lock_limit(hidden ? 0 : 4 * page);
        simulated::set_hidden_limit(hidden ? 4 * page : 0);
        constexpr std::size_t count = 12;
        void* all[count];
        for (std::size_t at = 0; at < count; ++at) {
          all[at] = lockfast_malloc_isolated(32);
          prove(all[at] != nullptr, "a secret");
          write_into(all[at], 32, at);
        }
        prove(statistics().live_unlocked == count - 4, "four are locked, and nothing is left for a key");
        for (std::size_t at = 0; at < count; ++at) {
          promised(lockfast_protect(all[backwards ? count - 1 - at : at], LOCKFAST_NOACCESS) == 0, "closed");
        }
        for (std::size_t at = 4; at < count; ++at) promised(is_sealed(all[at]), "what is not locked is sealed");
        for (std::size_t at = 0; at < count; ++at) open_whole(all[at], 32, at);
        for (void* const each : all) lockfast_free(each);
      }));
    }
  }
}

TEST_CASE("a key's page that was a secret's stays after a trim, wiped") {
  for (const bool hidden : {true, false}) {
    CAPTURE(hidden);
    check_clean(in_child([&] {
      options("lock=required");
      simulated::set_lock_limit(hidden ? 0 : 4 * page);
      simulated::set_hidden_limit(hidden ? 4 * page : 0);
      void* all[4];
      for (std::size_t at = 0; at < 4; ++at) {
        all[at] = lockfast_malloc_isolated(32);
        prove(all[at] != nullptr, "a secret");
        write_into(all[at], 32, at);
      }
      prove(lockfast_protect(all[0], LOCKFAST_NOACCESS) == 0, "closed");
      void* const fifth = lockfast_malloc_isolated(32);
      prove(fifth == nullptr && is_sealed(all[0]), "a page of four is the key's");
      for (void* const each : all) lockfast_free(each);
      (void)lockfast_trim();
      promised(statistics().bytes_locked == page, "the key's page stays, and counts");
      promised(simulated::bytes_locked() + simulated::bytes_hidden() == page, "on the host, too");
      for (std::size_t at = 0; at < 3; ++at) all[at] = closed_secret(32, at);
      for (std::size_t at = 0; at < 3; ++at) open_whole(all[at], 32, at);
    }));
  }
}
