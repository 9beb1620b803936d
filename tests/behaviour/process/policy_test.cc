// policy_test.cc - configure and LOCKFAST_OPTIONS on the real host; realloc and wipe_all.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "support/check.h"
#include "support/child.h"
#include "support/probe.h"

namespace {

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

}  // namespace

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
    asked = {};
    asked.native_placement = static_cast<lockfast_drop_in_placement>(3);
    promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "no such placement");
    asked = {};
    asked.notice = static_cast<lockfast_notice>(3);
    promised(lockfast_configure(&asked) == -1 && errno == EINVAL, "no such notice");
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
    promised(longer[10] == 0 && longer[4999] == 0, "the rest");
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

TEST_CASE("native_placement=isolated gives every secret pages of its own, by the program's word and by the environment's") {
  const auto isolated = [](const void* secret) {
    lockfast_receipt receipt = {};
    prove(lockfast_describe(secret, &receipt) == 0, "a receipt");
    return receipt.placement == LOCKFAST_ISOLATED;
  };
  const auto every_way = [=] {
    auto* const secret = static_cast<char*>(lockfast_malloc(32));
    prove(secret != nullptr, "a secret");
    promised(isolated(secret) && traps_on_read(secret + 32), "malloc");
    auto* const longer = static_cast<char*>(lockfast_realloc(secret, 48));
    promised(isolated(longer) && traps_on_read(longer + 48), "realloc");
    promised(lockfast_protect(longer, LOCKFAST_NOACCESS) == 0 && traps_on_read(longer), "an access of its own");
    promised(isolated(lockfast_calloc(4, 8)), "calloc");
    promised(isolated(lockfast_aligned_alloc(64, 100)), "aligned_alloc");
    lockfast_free(longer);
  };
  check_clean(in_child([=] {
    lockfast_options asked = {};
    asked.native_placement = LOCKFAST_PLACEMENT_ISOLATED;
    promised(lockfast_configure(&asked) == 0, "configure");
    every_way();
  }));
  check_clean(in_child([=] {
    options("native_placement=isolated");
    every_way();
  }));
  check_clean(in_child([=] { promised(!isolated(lockfast_malloc(32)), "grouped by default"); }));
}
