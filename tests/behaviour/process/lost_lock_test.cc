// lost_lock_test.cc - locks that the program itself takes off, or may not take again, on the real host.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "support/check.h"
#include "support/child.h"
#include "support/page_state.h"

namespace {

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

// Whether a secret is locked, which its receipt must agree with.
bool truly_locked(const void* secret) {
  promised(secret != nullptr, "a secret");
  lockfast_receipt receipt;
  promised(lockfast_describe(secret, &receipt) == 0, "a receipt");
  const bool locked = state_of(secret).locked;
  promised((receipt.lock_error == 0) == locked, locked ? "a locked page is told so" : "a page without a lock is told so");
  promised((receipt.backing == LOCKFAST_UNLOCKED) != locked, "the backing");
  return locked;
}

}  // namespace

TEST_CASE("after the program's munlockall receipts say what is locked, and new pages bring the locks back") {
  if (!locks_are_real() || !advice_is_followed()) return;
  for (const char* const hidden : {"lock=required,hidden=off", "lock=required"}) {
    CAPTURE(hidden);
    check_clean(in_child([=] {
      options(hidden);
      struct lockfast_compartment* const in = lockfast_compartment_create();
      const std::vector<void*> held = {lockfast_malloc(32), lockfast_malloc_isolated(32), lockfast_malloc_isolated(20000),
                                       lockfast_compartment_malloc(in, 32)};
      lockfast_free(lockfast_malloc(200));
      promised(lockfast_protect(held[1], LOCKFAST_NOACCESS) == 0, "no access");
      for (const void* const each : held) prove(truly_locked(each), "a lock");
      // The system call: sanitizers do nothing for the C library's function.
      prove(syscall(SYS_munlockall) == 0, "munlockall");
      for (const void* const each : held) (void)truly_locked(each);
      // In a place that was locked before.
      (void)truly_locked(lockfast_malloc(200));
      (void)truly_locked(lockfast_malloc(32));
      promised(truly_locked(lockfast_malloc_isolated(32)), "pages that are opened are locked");
      struct lockfast_statistics counted;
      lockfast_get_statistics(&counted);
      for (const void* const each : held) promised(truly_locked(each), "a lock again");
      promised(counted.live_unlocked == 0, "and none without");
    }));
  }
}

TEST_CASE("a page that the program unlocks by itself is told so") {
  if (!locks_are_real() || !advice_is_followed()) return;
  check_clean(in_child([] {
    options("hidden=off");
    void* const isolated = lockfast_malloc_isolated(20000);
    void* const grouped = lockfast_malloc(32);
    prove(truly_locked(isolated) && truly_locked(grouped), "locks");
    prove(syscall(SYS_munlock, page_of(isolated) + page_size(), page_size()) == 0, "munlock");
    prove(syscall(SYS_munlock, page_of(grouped), page_size()) == 0, "munlock");
    promised(!truly_locked(grouped), "a grouped secret's page");
    lockfast_receipt receipt;
    promised(lockfast_describe(isolated, &receipt) == 0 && receipt.lock_error == ECANCELED, "one page of an isolated secret");
    // What a receipt has seen is mended with the next pages.
    prove(lockfast_malloc_isolated(32) != nullptr, "one more");
    promised(truly_locked(isolated) && truly_locked(grouped), "locked again");
  }));
}

TEST_CASE("a root process that gives up its rights is not told of locks between guard markers that it no longer has") {
  if (!locks_are_real() || !advice_is_followed()) return;
  if (geteuid() != 0) {
    MESSAGE("skipped: not root");
    return;
  }
  for (const bool required : {false, true}) {
    CAPTURE(required);
    check_clean(in_child([=] {
      options(required ? "lock=required,hidden=off" : "lock=preferred,hidden=off");
      // Beyond an eighth of the limit on maps.
      std::vector<void*> held(6000);
      for (void*& each : held) each = lockfast_malloc_isolated(32);
      prove(held.back() != nullptr, "secrets");
      struct lockfast_statistics counted;
      lockfast_get_statistics(&counted);
      promised(counted.bytes_locked == bytes_locked(), "what the markers charge is counted");
      const rlimit limit{std::size_t{4} << 20, std::size_t{4} << 20};
      prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0 && setgid(65534) == 0 && setuid(65534) == 0, "an ordinary user");
      for (std::size_t at = 0; at < held.size(); ++at) {
        if (at % 600 != 599) lockfast_free(held[at]);
      }
      (void)lockfast_trim();
      for (int count = 0; count < 60; ++count) {
        const void* const secret = lockfast_malloc_isolated(32);
        if (secret == nullptr) promised(required, "a secret where the lock is preferred");
        if (secret != nullptr && !truly_locked(secret)) promised(!required, "a lock where it is required");
      }
      for (std::size_t at = 599; at < held.size(); at += 600) (void)truly_locked(held[at]);
    }));
  }
}
