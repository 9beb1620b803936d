// lost_lock_test.cc - locks that something else took off, over the simulated host: what receipts say, and what is locked again.
//
// Each test runs in a child, whose pools start afresh.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <vector>

#include "platform/platform.h"
#include "allocator/pages/lock_watch.h"
#include "platform/simulated/simulated.h"
#include "support/check.h"
#include "support/child.h"
#include "support/receipt.h"

using lockfast::internal::lock_watch;
namespace simulated = lockfast::simulated;

namespace {

constexpr std::size_t page = 4096;

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

bool is_locked(const void* secret) {
  const auto* const at = static_cast<const std::byte*>(secret);
  return lockfast::platform::lock_held(at - reinterpret_cast<std::uintptr_t>(at) % page, page) == lockfast::platform::hold::all;
}

// A receipt is as the system would say; whether the secret is locked.
bool truly_locked(const void* secret) {
  const bool locked = is_locked(secret);
  const lockfast_receipt receipt = receipt_of(secret);
  promised((receipt.lock_error == 0) == locked, "the truth of the lock");
  promised((receipt.backing == LOCKFAST_LOCKED) == locked, "the truth of the backing");
  return locked;
}

// Live secrets of each kind, and some that were freed.
struct some_of_all {
  some_of_all() {
    in = lockfast_compartment_create();
    prove(in != nullptr, "a compartment");
    for (int count = 0; count < 100; ++count) {
      keep(lockfast_malloc_isolated(32));
      keep(lockfast_malloc_isolated(100000));
      keep(lockfast_malloc(32));
      keep(lockfast_compartment_malloc(in, 500));
      lockfast_free(lockfast_malloc_isolated(32));
      lockfast_free(lockfast_malloc(200));
    }
    for (const void* const each : live) prove(truly_locked(each), "a lock");
  }
  void keep(void* secret) {
    prove(secret != nullptr, "a secret");
    live.push_back(secret);
  }
  [[nodiscard]] std::size_t locked() const {
    std::size_t count = 0;
    for (const void* const each : live) count += truly_locked(each);
    return count;
  }

  struct lockfast_compartment* in = nullptr;
  std::vector<void*> live;
};

}  // namespace

TEST_CASE("a receipt knows that something took the locks off, and the statistics take them again") {
  check_clean(in_child([] {
    options("lock=required,hidden=off");
    const some_of_all all;
    simulated::unlock_everything();
    promised(all.locked() == 0, "no receipt calls a page locked");
    promised(receipt_of(all.live.front()).lock_error == ECANCELED, "the reason");
    struct lockfast_statistics counted;
    lockfast_get_statistics(&counted);
    promised(all.locked() == all.live.size(), "all of them are locked again");
    promised(counted.live_unlocked == 0 && counted.bytes_locked == simulated::bytes_locked(), "and counted");
  }));
}

TEST_CASE("a loss is seen by the pages that are left, when those that were locked first have been given back") {
  for (const bool grouped : {false, true}) {
    CAPTURE(grouped);
    check_clean(in_child([=] {
      options("lock=required,hidden=off");
      void* const first = lockfast_malloc_isolated(32);
      void* const left = grouped ? lockfast_malloc(32) : lockfast_malloc_isolated(32);
      lockfast_free(first);
      (void)lockfast_trim();
      prove(truly_locked(left), "a lock");
      simulated::unlock_everything();
      struct lockfast_statistics now;
      lockfast_get_statistics(&now);
      promised(truly_locked(left), "locked again");
      promised(now.live_unlocked == 0 && now.bytes_locked == simulated::bytes_locked(), "and counted");
    }));
  }
}

TEST_CASE("pages that are given back are no loss") {
  for (const bool grouped : {false, true}) {
    CAPTURE(grouped);
    check_clean(in_child([=] {
      options("lock=required,hidden=off");
      void* const first = grouped ? lockfast_malloc(32) : lockfast_malloc_isolated(32);
      void* const left = lockfast_malloc_isolated(5000);
      prove(first != nullptr && left != nullptr && !lock_watch::sees_none(), "a page that is watched");
      lockfast_free(first);
      (void)lockfast_trim();
      lock_watch::look();
      promised(!lock_watch::lost(), "nothing was lost");
    }));
  }
}

TEST_CASE("a page that is given back and locked again while the system is asked about it is no loss") {
  for (const bool meanwhile : {true, false}) {
    CAPTURE(meanwhile);
    check_clean(in_child([=] {
      options("hidden=off");
      const auto reserved = lockfast::platform::reserve(page, page, lockfast::platform::fork_policy::inherit);
      prove(reserved.address != nullptr, "a page without a lock");
      lock_watch::see_locked(reserved.address);
      // What another thread does around the moment of the answer.
      if (meanwhile) {
        simulated::observe_lock_held([](const std::byte* at, std::size_t size) {
          lock_watch::forget(at, size);
          lock_watch::see_locked(at);
        });
      }
      lock_watch::look();
      promised(lock_watch::lost() == !meanwhile, "a loss only where the lock went without a word");
      promised(lock_watch::sees_none() == !meanwhile, "and the page is watched on");
    }));
  }
}

TEST_CASE("the key of sealed secrets is locked again as well, and a refusal is counted") {
  check_clean(in_child([] {
    options("lock=required,hidden=off,rest=seal");
    void* const sealed = lockfast_malloc_isolated(32);
    prove(lockfast_protect(sealed, LOCKFAST_NOACCESS) == 0 && receipt_of(sealed).rest == LOCKFAST_SEALED, "a sealed secret");
    (void)lockfast_trim();
    const std::size_t before = simulated::bytes_locked();
    prove(before != 0, "the key's page");
    const auto counted = [] {
      struct lockfast_statistics now;
      lockfast_get_statistics(&now);
      return now;
    };
    for (const bool refused : {true, false}) {
      void* const other = lockfast_malloc_isolated(32);  // what the loss is seen by
      simulated::unlock_everything();
      simulated::set_lock_limit(refused ? 0 : SIZE_MAX);
      const auto now = counted();
      promised(now.bytes_locked == simulated::bytes_locked(), "what is locked is counted");
      promised(refused == (now.bytes_locked == 0), "the lock again, or none");
      simulated::set_lock_limit(SIZE_MAX);
      lockfast_free(other);
    }
    (void)lockfast_trim();
    promised(simulated::bytes_locked() == before && counted().bytes_locked == before, "the key's page alone");
    promised(lockfast_protect(sealed, LOCKFAST_READONLY) == 0, "opened");
  }));
}

TEST_CASE("pages that are opened after something took the locks off bring all of them back") {
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    check_clean(in_child([=] {
      options("lock=required,hidden=off");
      const some_of_all all;
      simulated::unlock_everything();
      for (int count = 0; count < 1000; ++count) {
        promised((in_group ? lockfast_malloc(1000) : lockfast_malloc_isolated(1000)) != nullptr, "a secret");
      }
      promised(all.locked() == all.live.size(), "all of them are locked again");
    }));
  }
}

TEST_CASE("where the locks can't be taken again, a required one is refused, and receipts and statistics say what is lost") {
  check_clean(in_child([] {
    options("lock=required,hidden=off");
    const some_of_all all;
    simulated::unlock_everything();
    simulated::set_lock_limit(0);
    struct lockfast_statistics counted;
    lockfast_get_statistics(&counted);
    promised(all.locked() == 0 && receipt_of(all.live.front()).lock_error == ENOMEM, "why there is none");
    promised(counted.live_unlocked == all.live.size() && counted.bytes_locked == 0, "all of them are counted");
    for (const std::size_t size : {32U, 200U, 500U, 20000U}) {
      promised(lockfast_malloc(size) == nullptr, "no secret without a lock");
      promised(lockfast_malloc_isolated(size) == nullptr, "none of its own pages either");
      promised(lockfast_compartment_malloc(all.in, size) == nullptr, "nor in a compartment");
    }
    for (void* const each : all.live) lockfast_free(each);
    promised(lockfast_malloc(32) == nullptr, "nor in the places of freed ones");
    simulated::set_lock_limit(SIZE_MAX);
    promised(truly_locked(lockfast_malloc(32)) && truly_locked(lockfast_malloc_isolated(32)), "and with the limit, locks");
  }));
}

TEST_CASE("a process that may lock less than before has no secret between guard markers that is called locked and is not") {
  for (const bool required : {false, true}) {
    CAPTURE(required);
    check_clean(in_child([=] {
      options(required ? "lock=required,hidden=off" : "lock=preferred,hidden=off");
      simulated::set_guard_markers(true);
      simulated::set_map_limit(800);
      std::vector<void*> held(3000);
      for (void*& each : held) each = lockfast_malloc_isolated(32);
      prove(simulated::bytes_marked() != 0, "markers");
      struct lockfast_statistics counted;
      lockfast_get_statistics(&counted);
      promised(counted.bytes_locked == simulated::bytes_locked(), "what markers charge is counted");
      for (void* const each : held) lockfast_free(each);
      simulated::set_lock_limit(64 * page);
      (void)lockfast_trim();
      std::size_t served = 0;
      for (int count = 0; count < 3000; ++count) {
        const void* const secret = lockfast_malloc_isolated(32);
        served += secret != nullptr;
        if (secret != nullptr && !truly_locked(secret)) promised(!required, "a lock where it is required");
      }
      promised(required || served == 3000, "a secret where it is preferred");
    }));
  }
}

TEST_CASE("a place between guard markers that cannot have its lock serves no secret that requires one") {
  check_clean(in_child([] {
    simulated::set_guard_markers(true);
    simulated::set_map_limit(100);
    options("hidden=off");
    prove(lockfast_malloc_isolated(3000) != nullptr && simulated::bytes_marked() != 0, "a place between markers");
    simulated::unlock_everything();
    simulated::set_lock_limit(0);
    promised(lockfast_malloc_isolated(3000) == nullptr && errno == ENOMEM, "refused");
  }));
}
