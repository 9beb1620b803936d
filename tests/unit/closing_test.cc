// closing_test.cc - a system that takes the lock off pages that become inaccessible, and one that locks no more than a quota that
// the process can raise: both are Windows.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstring>

#include "platform/windows/lock_quota.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/receipt.h"

namespace simulated = lockfast::simulated;

namespace {

void promise_locked(const void* secret, std::size_t bytes) {
  promised(receipt_of(secret).lock_error == 0 && receipt_of(secret).backing == LOCKFAST_LOCKED, "locked, says the receipt");
  promised(simulated::bytes_locked() == bytes, "locked");
}

void promise_unlocked(const void* secret) {
  promised(receipt_of(secret).lock_error == ENOTSUP && receipt_of(secret).backing == LOCKFAST_UNLOCKED, "unlocked, it says");
  promised(simulated::bytes_locked() == 0, "unlocked");
}

// A quota that is raised by as much as is asked for, up to a most.
struct bounded {
  std::size_t quota = 0;
  std::size_t most = 0;
  int locks = 0;

  int lock(std::byte*, std::size_t size) {
    ++locks;
    return size <= quota ? 0 : EAGAIN;
  }
  bool raise(std::size_t by) {
    if (quota + by > most) return false;
    quota += by;
    return true;
  }
};

}  // namespace

TEST_CASE(
    "where closing takes the lock off, an isolated secret is locked again once it is open, and its receipt says what it is") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "rest=keep"), "the variable");
    simulated::set_closing_unlocks(true);
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
    prove(secret != nullptr, "a secret");
    std::memset(secret, 'x', 32);
    promise_locked(secret, 4096);
    for (const lockfast_access open : {LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
      promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
      promise_unlocked(secret);
      promised(lockfast_check(secret) == 0 && lockfast_audit() == 0, "whole");
      promise_unlocked(secret);
      promised(lockfast_protect(secret, open) == 0, "opened");
      promise_locked(secret, 4096);
    }
    promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
    simulated::set_lock_limit(0);
    promised(lockfast_protect(secret, LOCKFAST_READWRITE) == -1 && errno == ENOMEM, "not opened without its lock");
    promised(receipt_of(secret).access == LOCKFAST_NOACCESS, "closed still");
    lockfast_free(secret);  // for which none is needed
    promised(lockfast_malloc_isolated(32) == nullptr && errno == ENOMEM, "nor does its place serve without one");
    simulated::set_lock_limit(SIZE_MAX);
    void* const next = lockfast_malloc_isolated(32);
    prove(next != nullptr, "a secret in the same pages");
    promise_locked(next, 4096);
    lockfast_free(next);
    (void)lockfast_trim();
    promised(simulated::bytes_locked() == 0, "nothing is locked");
  }));
}

TEST_CASE("where closing takes the lock off, a closed secret is sealed, and keeps no pages") {
  check_clean(in_child([] {
    simulated::set_closing_unlocks(true);
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
    prove(secret != nullptr, "a secret");
    std::memset(secret, 'x', 32);
    promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
    const lockfast_receipt receipt = receipt_of(secret);
    promised(receipt.rest == LOCKFAST_SEALED && receipt.rest_error == 0 && receipt.lock_error == 0, "sealed, says the receipt");
    promised(simulated::bytes_locked() == 4096, "the key's page alone is locked");
    promised(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened");
    promise_locked(secret, 2 * 4096);
    promised(secret[0] == 'x' && secret[31] == 'x', "whole");
    lockfast_free(secret);
  }));
}

TEST_CASE("where closing takes the lock off, a preferred lock that is refused at the opening is in the receipt") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "lock=preferred"), "the variable");
    simulated::set_closing_unlocks(true);
    void* const secret = lockfast_malloc_isolated(32);
    prove(secret != nullptr && lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "a closed secret");
    simulated::set_lock_limit(0);
    promised(lockfast_protect(secret, LOCKFAST_READWRITE) == 0, "opened");
    promised(receipt_of(secret).lock_error == ENOMEM && receipt_of(secret).backing == LOCKFAST_UNLOCKED, "unlocked");
    lockfast_free(secret);
  }));
}

TEST_CASE("where closing takes the lock off, a compartment is locked again once it is open") {
  check_clean(in_child([] {
    simulated::set_closing_unlocks(true);
    auto* const keys = lockfast_compartment_create();
    auto* const secret = static_cast<char*>(lockfast_compartment_malloc(keys, 32));
    prove(secret != nullptr, "a secret");
    const std::size_t bytes = simulated::bytes_locked();
    promise_locked(secret, bytes);
    promised(lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "closed");
    promise_unlocked(secret);
    promised(lockfast_check(secret) == 0, "whole");
    promised(lockfast_compartment_malloc(keys, 32) != nullptr, "another, while it is closed");
    promise_unlocked(secret);
    promised(lockfast_compartment_protect(keys, LOCKFAST_READONLY) == 0, "opened");
    promise_locked(secret, bytes);
    promised(lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "closed");
    simulated::set_lock_limit(0);
    promised(lockfast_compartment_protect(keys, LOCKFAST_READWRITE) == -1 && errno == ENOMEM, "not opened without its lock");
    promised(receipt_of(secret).access == LOCKFAST_NOACCESS, "closed still");
    simulated::set_lock_limit(SIZE_MAX);
    promised(lockfast_compartment_protect(keys, LOCKFAST_READONLY) == 0, "opened");
    promised(receipt_of(secret).access == LOCKFAST_READONLY, "and no more than that");
    promised(lockfast_compartment_protect(keys, LOCKFAST_READWRITE) == 0, "opened");
    promise_locked(secret, bytes);
    lockfast_compartment_destroy(keys);
    (void)lockfast_trim();
    promised(simulated::bytes_locked() == 0, "nothing is locked");
  }));
}

TEST_CASE("where closing takes the lock off, a compartment whose preferred lock is refused opens, and its receipts say so") {
  check_clean(in_child([] {
    prove(set_variable("LOCKFAST_OPTIONS", "lock=preferred"), "the variable");
    simulated::set_closing_unlocks(true);
    auto* const keys = lockfast_compartment_create();
    void* const secret = lockfast_compartment_malloc(keys, 32);
    prove(secret != nullptr && lockfast_compartment_protect(keys, LOCKFAST_NOACCESS) == 0, "a closed compartment");
    simulated::set_lock_limit(0);
    promised(lockfast_compartment_protect(keys, LOCKFAST_READWRITE) == 0, "opened");
    promised(receipt_of(secret).lock_error == ENOMEM && receipt_of(secret).backing == LOCKFAST_UNLOCKED, "unlocked");
    lockfast_compartment_destroy(keys);
  }));
}

TEST_CASE("a lock over the quota is asked for again once the quota is raised, and refused where it cannot be") {
  using lockfast::platform::lock_growing;
  using lockfast::platform::quota_surplus;
  bounded plenty{.quota = 4096, .most = 100 * quota_surplus};
  CHECK(lock_growing(plenty, nullptr, 4096) == 0);
  CHECK(plenty.locks == 1);
  CHECK(plenty.quota == 4096);
  CHECK(lock_growing(plenty, nullptr, 8192) == 0);
  CHECK(plenty.locks == 3);
  CHECK(plenty.quota == 4096 + 8192 + quota_surplus);
  bounded short_of_it{.quota = 4096, .most = 4096};
  CHECK(lock_growing(short_of_it, nullptr, 8192) == EAGAIN);
  CHECK(short_of_it.quota == 4096);
  // Others use up what was raised: it is not asked for for ever.
  struct : bounded {
    int lock(std::byte*, std::size_t) { return ++locks, EAGAIN; }
  } taken;
  taken.most = SIZE_MAX;
  CHECK(lock_growing(taken, nullptr, 4096) == EAGAIN);
  CHECK(taken.locks == 1 + lockfast::platform::max_raises);
}
