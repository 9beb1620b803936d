// address_limit_test.cc - RLIMIT_AS with little room, and mlockall(MCL_FUTURE) under a small lock limit: what one secret needs is
// enough.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstddef>
#include <cstdio>
#include <cstring>

#include "support/check.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/sanitized.h"

namespace {

using compartment = struct lockfast_compartment;

constexpr std::size_t mebibyte = std::size_t{1} << 20;
constexpr char breached[] = "lockfast: ";

// Has this child take no more than so much address space beside what it has.
void leave_room(std::size_t bytes) {
  if (is_emulated()) skip("an emulator keeps to no limit on address space");
  if (sanitized) skip("a sanitizer takes address space of its own");
  std::FILE* const file = std::fopen("/proc/self/statm", "r");
  if (file == nullptr) skip("the size of the address space is not told");
  unsigned long pages = 0;
  prove(std::fscanf(file, "%lu", &pages) == 1, "the size of the address space");
  (void)std::fclose(file);
  const rlim_t most = pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)) + bytes;
  const rlimit limit{most, most};
  if (setrlimit(RLIMIT_AS, &limit) != 0) skip("the limit can't be set");
  prove(mmap(nullptr, bytes + mebibyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, "a limit that counts");
}

// Uses a secret as a caller would, to its ends and a byte past it.
void use(void* made, std::size_t size, bool isolated) {
  auto* const secret = static_cast<char*>(made);
  promised(secret != nullptr, "a secret");
  std::memset(secret, 'x', size);
  lockfast_receipt receipt;
  promised(lockfast_describe(secret, &receipt) == 0 && receipt.size == size, "a receipt");
  promised(receipt.lock_error == 0 && receipt.backing != LOCKFAST_UNLOCKED, "in RAM");
  promised(lockfast_check(secret) == 0, "whole");
  if (isolated) {
    promised(traps_on_read(secret + size), "the first byte past the end traps");
    promised(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0 && traps_on_read(secret), "no access");
    promised(lockfast_protect(secret, LOCKFAST_READWRITE) == 0 && secret[size - 1] == 'x', "open again");
  }
}

void* in_compartment(std::size_t size) {
  compartment* const keys = lockfast_compartment_create();
  promised(keys != nullptr, "a compartment");
  return lockfast_compartment_malloc(keys, size);
}

}  // namespace

TEST_CASE("a secret of every placement is had with 1, 2, 4 and 8 MiB of address space") {
  for (const std::size_t room : {mebibyte, 2 * mebibyte, 4 * mebibyte, 8 * mebibyte}) {
    CAPTURE(room);
    check_clean(in_child([room] {
      leave_room(room);
      use(lockfast_malloc_isolated(32), 32, true);
    }));
    check_clean(in_child([room] {
      leave_room(room);
      use(lockfast_malloc(32), 32, false);
    }));
    check_clean(in_child([room] {
      leave_room(room);
      use(in_compartment(32), 32, false);
    }));
    check_clean(in_child([room] {
      leave_room(room);
      use(lockfast_malloc(32), 32, false);
      use(lockfast_malloc(10000), 10000, false);
      use(lockfast_malloc_isolated(32), 32, true);
      use(lockfast_malloc_isolated(5000), 5000, true);
      use(lockfast_malloc_isolated(100000), 100000, true);
      use(in_compartment(32), 32, false);
      use(in_compartment(20000), 20000, false);
      promised(lockfast_audit() == 0, "no damage");
    }));
  }
}

TEST_CASE("in little address space secrets are refused with ENOMEM in the end, and what is freed serves again") {
  for (const std::size_t room : {mebibyte, 8 * mebibyte}) {
    CAPTURE(room);
    check_clean(in_child([room] {
      leave_room(room);
      static void* held[4096];
      for (int round = 0; round < 3; ++round) {
        std::size_t count = 0;
        for (; count < sizeof held / sizeof *held; ++count) {
          held[count] = count % 2 == 0 ? lockfast_malloc_isolated(32) : lockfast_malloc(3000);
          if (held[count] == nullptr) break;
          std::memset(held[count], 'x', 32);
        }
        if (count < sizeof held / sizeof *held) promised(errno == ENOMEM, "ENOMEM");
        promised(count >= room / mebibyte * 20, "as many as there is room for");
        promised(lockfast_audit() == 0, "no damage");
        while (count != 0) lockfast_free(held[--count]);
      }
    }));
  }
}

TEST_CASE("what is misused in a small region is found as in any other") {
  for (const bool isolated : {true, false}) {
    for (int misuse = 0; misuse < 4; ++misuse) {
      CAPTURE(isolated);
      CAPTURE(misuse);
      const ending end = in_child([=] {
        leave_room(2 * mebibyte);
        auto* const secret = static_cast<char*>(isolated ? lockfast_malloc_isolated(32) : lockfast_malloc(32));
        prove(secret != nullptr, "a secret");
        // Memory of others in the same unit is nobody's secret.
        auto* const beside =
            static_cast<char*>(mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        prove(beside != MAP_FAILED, "a map beside it");
        promised(lockfast_check(beside + 16) == -1 && errno == EINVAL, "EINVAL");
        if (misuse == 0) lockfast_free(beside + 16);
        if (misuse == 1) lockfast_free(secret + 16);
        if (misuse == 2) secret[-1] ^= 1;
        lockfast_free(secret);
        if (misuse == 3) lockfast_free(secret);
        promised(false, "a breach");
      });
      CAPTURE(end.text);
      if (end.skipped()) continue;
      CHECK(end.signal == SIGABRT);
      CHECK(end.said(breached));
      if (misuse == 0) CHECK(end.said("invalid pointer"));
    }
  }
}

TEST_CASE("after mlockall(MCL_FUTURE) under a lock limit of 8 MiB a secret of every placement is had") {
  for (int kind = 0; kind < 3; ++kind) {
    CAPTURE(kind);
    check_clean(in_child([kind] {
      if (sanitized) skip("a sanitizer has more memory than can be locked");
      const rlimit limit{8 * mebibyte, 8 * mebibyte};
      if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) skip("the limit can't be set");
      if (geteuid() == 0 && (setgid(65534) != 0 || setuid(65534) != 0)) skip("no other user to become");
      // What this program has itself leaves too little, or nothing: a large part of it is the harness.
      if (mlockall(MCL_FUTURE) != 0) skip("mlockall is refused");
      void* const held = mmap(nullptr, 3 * mebibyte, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      prove(held != MAP_FAILED, "3 MiB of its own");
      prove(mmap(nullptr, 8 * mebibyte, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED, "a limit that counts");
      if (kind == 0) use(lockfast_malloc_isolated(32), 32, true);
      if (kind == 1) use(lockfast_malloc(32), 32, false);
      if (kind == 2) use(in_compartment(32), 32, false);
    }));
  }
}
