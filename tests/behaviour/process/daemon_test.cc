// daemon_test.cc - programs that lock their secrets first and fork then: as daemon() does, and at the kernel's limit on maps.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstring>
#include <string>

#include "behaviour/forked.h"
#include "behaviour/grouped.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/sanitized.h"

TEST_CASE("a program that becomes a daemon after it locked has its secrets in RAM still, and a receipt that says so") {
  for (const std::string policy : {"hidden=auto", "hidden=off"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options("fork=inherit," + policy);
      auto* const alone = static_cast<char*>(lockfast_malloc_isolated(5000));
      prove(alone != nullptr, "a secret");
      std::memset(alone, 'x', 5000);
      char* const beside = secret_of(32);
      const lockfast_backing backing = receipt_of(alone).backing;
      int ends[2];
      prove(pipe(ends) == 0, "a pipe");
      const pid_t starter = fork();
      prove(starter >= 0, "a fork");
      if (starter == 0) {
        // The first fork is the test's; daemon() leaves this process and goes on in another.
        prove(daemon(1, 1) == 0, "a daemon");
        bool sound = filled(alone, 5000, 'x') && filled(beside, 32, 'x');
        for (char* const each : {alone, beside}) {
          const lockfast_receipt receipt = receipt_of(each);
          sound &= receipt.backing == backing && receipt.lock_error == 0 && state_of(each).locked;
        }
        const struct lockfast_statistics now = statistics();
        sound &= now.live == 2 && now.live_unlocked == 0 && now.bytes_locked >= 2 * page_size();
        lockfast_free(alone);
        lockfast_free(beside);
        char* const own = secret_of(32);
        sound &= receipt_of(own).lock_error == 0;
        prove(write(ends[1], sound ? "y" : "n", 1) == 1, "a report");
        _exit(0);
      }
      close(ends[1]);
      int state = 0;
      prove(waitpid(starter, &state, 0) == starter, "its end");
      char verdict = 0;
      prove(read(ends[0], &verdict, 1) == 1, "a report of the daemon");
      promised(verdict == 'y', "secrets and receipts in the daemon");
    }));
  }
}

TEST_CASE("a fork at the limit on maps gives the child each secret whole, or absent: never zeros") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer needs maps of its own");
    return;
  }
  for (const std::string policy : {"hidden=auto", "hidden=off"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options("fork=inherit,lock=preferred," + policy);
      auto* const alone = static_cast<char*>(lockfast_malloc_isolated(5000));
      prove(alone != nullptr, "a secret");
      std::memset(alone, 'x', 5000);
      char* const beside = secret_of(32);
      std::memset(beside, 'x', 32);
      const struct lockfast_statistics limits = statistics();
      if (limits.map_limit > 200000) skip("maps are not scarce here");
      // Pages of changing access are maps of their own.
      const std::size_t pages = 2 * limits.map_limit;
      auto* const filler =
          static_cast<char*>(mmap(nullptr, pages * page_size(), PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
      prove(filler != MAP_FAILED, "address space");
      bool full = false;
      for (std::size_t at = 1; at < pages && !full; at += 2) full = mprotect(filler + at * page_size(), page_size(), PROT_NONE) != 0;
      prove(full, "the limit");
      while (mmap(nullptr, page_size(), PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0) != MAP_FAILED) {
      }
      forked([&] {
        (void)munmap(filler, pages * page_size());
        for (char* const each : {alone, beside}) {
          lockfast_receipt receipt;
          const bool absent = lockfast_describe(each, &receipt) == -1;
          promised(absent ? traps_on_read(each) : filled(each, 32, 'x'), "whole or absent");
          promised(absent || lockfast_check(each) == 0, "whole canaries");
          lockfast_free(each);
        }
        lockfast_free(secret_of(32));
      });
      (void)munmap(filler, pages * page_size());
      promised(filled(alone, 5000, 'x') && filled(beside, 32, 'x'), "the parent's secrets");
    }));
  }
}
