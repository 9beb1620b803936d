// policy_test.cc - configure, LOCKFAST_OPTIONS and the lock limits on the real host; realloc and wipe_all.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <vector>

#include "support/child.h"
#include "support/lock_budgets.h"
#include "support/page_state.h"
#include "support/probe.h"

namespace {

void check_clean(const ending& end) {
  CAPTURE(end.text);
  CHECK(end.clean());
}

void options(const char* text) { prove(setenv("LOCKFAST_OPTIONS", text, 1) == 0, "the variable"); }

// An ordinary user without the right to lock more than this.
void become_ordinary(std::size_t lock_limit) {
  const rlimit limit{lock_limit, lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
  if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
}

}  // namespace

TEST_CASE("over the lock limit a required lock is refused with ENOMEM, and a preferred one is in the receipt") {
  const auto fill = [](bool preferred) {
    become_ordinary(64 * 1024);
    std::vector<void*> held;
    for (int count = 0; count < 40; ++count) {
      void* const secret = lockfast_malloc_isolated(32);
      if (secret == nullptr) promised(errno == ENOMEM, "ENOMEM");
      if (secret != nullptr) held.push_back(secret);
    }
    lockfast_receipt first;
    promised(lockfast_describe(held.front(), &first) == 0, "a receipt");
    const std::size_t fit = (first.backing == LOCKFAST_HIDDEN ? lock_budgets() : 1) * 64 * 1024 / page_size();
    struct lockfast_statistics counted;
    lockfast_statistics(&counted);
    promised(counted.lock_limit == 64 * 1024, "the limit");
    promised(held.size() == (preferred ? 40 : fit), "as many as the policy allows");
    promised(counted.live_unlocked == (preferred ? 40 - fit : 0), "the unlocked are counted");
    promised(counted.bytes_locked == fit * page_size(), "the locked are counted");
    promised(bytes_locked() == fit * page_size(), "the system counts as many");
    lockfast_receipt receipt;
    promised(lockfast_describe(held.back(), &receipt) == 0, "a receipt");
    promised((receipt.backing == LOCKFAST_UNLOCKED) == preferred, "the backing");
    promised((receipt.lock_error != 0) == preferred, "the reason");
    // Unlocked secrets have all the rest.
    auto* const last = static_cast<char*>(held.back());
    promised(lockfast_protect(last, LOCKFAST_NOACCESS) == 0 && traps_on_read(last), "no access");
    for (void* const secret : held) lockfast_free(secret);
    promised(lockfast_malloc_isolated(32) != nullptr, "a freed page serves the next request");
  };
  for (const bool preferred : {false, true}) {
    CAPTURE(preferred);
    const ending end = in_child([&] {
      options(preferred ? "lock=preferred" : "lock=required");
      fill(preferred);
    });
    CAPTURE(end.text);
    if (end.skipped()) {
      MESSAGE("skipped: " << end.text);
    } else {
      CHECK(end.clean());
    }
  }
}

TEST_CASE("a soft lock limit below the hard one is raised first") {
  check_clean(in_child([] {
    const rlimit limit{0, 1 << 20};
    prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "the limit");
    prove(lockfast_malloc_isolated(1) != nullptr, "a secret");
    rlimit now;
    promised(getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur == 1 << 20, "raised");
  }));
}

TEST_CASE("the program's word counts before the environment's, and that before the default") {
  check_clean(in_child([] {
    options("freed=recycle");
    lockfast_options asked = {};
    asked.freed = LOCKFAST_FREED_TRAP;
    promised(lockfast_configure(&asked) == 0, "configure");
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(8));
    prove(secret != nullptr, "a secret");
    lockfast_free(secret);
    promised(traps_on_read(secret), "it traps");
    promised(lockfast_configure(&asked) == -1 && errno == EBUSY, "too late");
  }));
  check_clean(in_child([] {
    options("freed=recycle");
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(8));
    prove(secret != nullptr, "a secret");
    secret[0] = 'x';
    lockfast_free(secret);
    promised(!traps_on_read(secret) && secret[0] == 0, "wiped and still there");
  }));
  check_clean(in_child([] {
    lockfast_options asked = {};
    asked.lock = static_cast<lockfast_lock>(3);
    promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "no such value");
    promised(lockfast_configure(nullptr) == -1 && errno == EINVAL, "no options");
  }));
}

TEST_CASE("realloc keeps contents and access, and wipes where the secret was") {
  check_clean(in_child([] {
    options("freed=recycle");
    auto* secret = static_cast<char*>(lockfast_malloc_isolated(10));
    prove(secret != nullptr, "a secret");
    std::memcpy(secret, "0123456789", 10);
    prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "no access");
    auto* const longer = static_cast<char*>(lockfast_realloc(secret, 5000));
    promised(longer != nullptr && traps_on_read(longer), "no access still");
    promised(lockfast_protect(longer, LOCKFAST_READONLY) == 0, "readable");
    promised(std::memcmp(longer, "0123456789", 10) == 0, "contents");
    promised(static_cast<unsigned char>(longer[10]) == 0xdb && static_cast<unsigned char>(longer[4999]) == 0xdb, "the rest");
    for (int at = 0; at < 10; ++at) promised(secret[at] == 0, "wiped");
    auto* const shorter = static_cast<char*>(lockfast_realloc(longer, 4));
    promised(shorter != nullptr && std::memcmp(shorter, "0123", 4) == 0 && lockfast_size(shorter) == 4, "shorter");
    promised(traps_on_write(shorter), "read-only still");
    promised(lockfast_realloc(shorter, SIZE_MAX) == nullptr && errno == ENOMEM, "refused");
    promised(std::memcmp(shorter, "0123", 4) == 0, "whole after a refusal");
    auto* const fresh = static_cast<char*>(lockfast_realloc(nullptr, 8));
    promised(fresh != nullptr && lockfast_size(fresh) == 8, "from nothing");
  }));
}

TEST_CASE("wipe_all wipes every secret, whatever its access, and leaves it allocated") {
  check_clean(in_child([] {
    auto* const open = static_cast<char*>(lockfast_malloc_isolated(32));
    auto* const closed = static_cast<char*>(lockfast_malloc_isolated(100000));
    prove(open != nullptr && closed != nullptr, "secrets");
    std::memset(open, 'x', 32);
    std::memset(closed, 'x', 100000);
    prove(lockfast_protect(closed, LOCKFAST_NOACCESS) == 0, "no access");
    lockfast_wipe_all();
    promised(open[0] == 0 && open[31] == 0, "the open one");
    promised(traps_on_read(closed), "still no access");
    promised(lockfast_protect(closed, LOCKFAST_READONLY) == 0, "readable");
    for (int at = 0; at < 100000; ++at) promised(closed[at] == 0, "the closed one");
    promised(lockfast_audit() == 0, "canaries");
    lockfast_free(open);
    lockfast_free(closed);
  }));
}
