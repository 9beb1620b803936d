// fork_closed_test.cc - closed secrets go to a forked child sealed: it has no pages of them until it opens one, and nothing of them
// lies plain in memory that is not locked.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include "behaviour/forked.h"
#include "behaviour/grouped.h"
#include "behaviour/numbered_secret.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/sanitized.h"
#include "support/unlocked_memory.h"

namespace {

constexpr std::size_t size = sizeof(numbered_secret);

struct closed_secrets {
  explicit closed_secrets(std::size_t count) {
    for (std::size_t at = 0; at < count; ++at) {
      all.push_back(static_cast<char*>(lockfast_malloc_isolated(size)));
      prove(all.back() != nullptr, "a secret");
      write_into(all.back(), at);
      prove(lockfast_protect(all.back(), LOCKFAST_NOACCESS) == 0, "closed");
    }
    if (receipt_of(all[0]).rest_error != 0) skip("nothing is sealed here");
  }
  // Opens each first'th, checks it and closes it again.
  void open(std::size_t first, std::size_t step) const {
    for (std::size_t at = first; at < all.size(); at += step) {
      promised(lockfast_protect(all[at], LOCKFAST_READWRITE) == 0 && holds(all[at], at), "whole when it is opened");
      promised(lockfast_check(all[at]) == 0, "its canaries");
      promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed again");
    }
  }
  void are(lockfast_rest rest) const {
    for (char* const each : all) {
      const lockfast_receipt receipt = receipt_of(each);
      promised(receipt.rest == rest && receipt.access == LOCKFAST_NOACCESS && receipt.lock_error == 0, "the receipt");
    }
  }
  std::vector<char*> all;
};

// Changes the canary of a closed secret, which stays closed.
void damage(char* secret) {
  prove(mprotect(page_of(secret), page_size(), PROT_READ | PROT_WRITE) == 0, "access");
  secret[-1] = static_cast<char>(secret[-1] ^ 1);
  prove(mprotect(page_of(secret), page_size(), PROT_NONE) == 0, "no access");
}

constexpr const char* backings[] = {"hidden=auto", "hidden=off"};

#if __has_include(<linux/seccomp.h>)
// From here on the system makes no process: by clone, which glibc's fork calls, or by fork, which musl's does where there is one.
void refuse_new_processes() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
#if defined(SYS_fork)
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_fork, 1, 0),
#endif
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EAGAIN),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter = {static_cast<unsigned short>(sizeof program / sizeof *program), program};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    skip("no filter of system calls");
  }
}
#endif

}  // namespace

TEST_CASE("a child of many closed secrets has pages of none, opens each whole, and the parent's are as they were") {
  for (const std::string backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      options("fork=inherit,rest=auto," + backing);
      const closed_secrets secrets(500);
      const std::size_t before = statistics().bytes_locked;
      forked([&] {
        const struct lockfast_statistics now = statistics();
        promised(now.live == 500 && now.live_sealed == 500, "all are sealed");
        promised(now.bytes_locked < 8 * page_size(), "and have no pages");
        secrets.are(LOCKFAST_SEALED);
        for (std::size_t at = 0; at < secrets.all.size(); at += 50) {
          promised(traps_on_read(secrets.all[at]) && traps_on_write(secrets.all[at]), "a touch traps");
        }
        secrets.open(0, 3);
        promised(lockfast_audit() == 0, "none is damaged");
        // A child of the child has what that opened and what it did not.
        forked([&] {
          secrets.open(0, 1);
          for (char* const each : secrets.all) lockfast_free(each);
          promised(statistics().live == 0, "all are freed");
        });
        for (char* const each : secrets.all) lockfast_free(each);
        lockfast_free(secret_of(32));
      });
      secrets.are(LOCKFAST_CLOSED);
      promised(statistics().bytes_locked == before && statistics().live_sealed == 0, "the parent's pages");
      secrets.open(0, 1);
      promised(lockfast_audit() == 0, "whole canaries");
    }));
  }
}

TEST_CASE("after a fork no closed secret is plain in unlocked memory, in neither process") {
  if (sanitized) {
    MESSAGE("skipped: all memory is searched, and a sanitizer's has terabytes");
    return;
  }
  if (!asks_for_own_process("all memory is searched")) return;
  for (const std::string backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      prove(become_user(std::size_t{2} << 20), "an ordinary user under the limit");
      options("fork=inherit,rest=auto," + backing);
      const closed_secrets secrets(200);
      forked([&] {
        promised(plain_in_unlocked_memory() == 0, "none in the child");
        secrets.open(0, 1);
        promised(plain_in_unlocked_memory() == 0, "nor afterwards");
      });
      promised(plain_in_unlocked_memory() == 0, "none in the parent");
      static unsigned char control[size];
      write_into(control, 1);
      promised(plain_in_unlocked_memory() == 1, "the control, which is found");
      lockfast_wipe(control, sizeof control);
    }));
  }
}

TEST_CASE("a child has open and closed secrets beside each other, and places between markers that none is in") {
  check_clean(in_child([] {
    options("fork=inherit,rest=auto,lock=preferred,hidden=off");
    // Markers come once maps are scarce: an eighth of the limit, at two for each place of a region.
    const closed_secrets secrets(6000);
    // One in the midst of those stays open; the regions of the others have none.
    char* const open = secrets.all[5000];
    prove(lockfast_protect(open, LOCKFAST_READWRITE) == 0, "opened");
    forked([&] {
      promised(holds(open, 5000), "the open one");
      promised(traps_on_read(secrets.all[4999]) && traps_on_read(secrets.all[5001]), "those beside it");
      secrets.open(0, 7);
      std::vector<void*> mine;
      for (int at = 0; at < 2000; ++at) {
        mine.push_back(lockfast_malloc_isolated(size));
        promised(mine.back() != nullptr, "a secret of the child's own");
        std::memset(mine.back(), 'm', size);
      }
      for (void* const each : mine) lockfast_free(each);
      for (char* const each : secrets.all) lockfast_free(each);
      promised(statistics().live == 0, "all are freed");
    });
    secrets.open(0, 100);
  }));
}

TEST_CASE("fork=wipe gives a child zeros for closed secrets, in pages that it takes when it opens them") {
  for (const std::string backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      options("fork=wipe,rest=auto," + backing);
      const closed_secrets secrets(300);
      forked([&] {
        promised(statistics().bytes_locked < 8 * page_size(), "no pages");
        for (char* const each : secrets.all) {
          promised(traps_on_read(each), "closed");
          promised(lockfast_protect(each, LOCKFAST_READWRITE) == 0 && filled(each, size, 0), "zeros");
          promised(state_of(each).locked && lockfast_check(each) == 0, "in locked pages, between canaries");
          lockfast_free(each);
        }
      });
      secrets.open(0, 1);
    }));
  }
}

TEST_CASE("under rest=keep a child's closed secrets have pages, and are whole") {
  for (const std::string backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      options("fork=inherit,rest=keep," + backing);
      std::vector<char*> all;
      for (std::size_t number = 0; number < 40; ++number) {
        all.push_back(static_cast<char*>(lockfast_malloc_isolated(size)));
        prove(all.back() != nullptr, "a secret");
        write_into(all.back(), number);
        prove(lockfast_protect(all.back(), LOCKFAST_NOACCESS) == 0, "closed");
      }
      forked([&] {
        for (std::size_t number = 0; number < all.size(); ++number) {
          promised(receipt_of(all[number]).rest == LOCKFAST_CLOSED, "not sealed");
          promised(lockfast_protect(all[number], LOCKFAST_READONLY) == 0 && holds(all[number], number), "whole");
        }
      });
    }));
  }
}

TEST_CASE("a closed secret with a broken canary is found so in a child") {
  for (const std::string backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      options("fork=inherit,rest=auto," + backing);
      const closed_secrets secrets(3);
      damage(secrets.all[1]);
      forked([&] {
        promised(lockfast_check(secrets.all[1]) == -1, "damaged");
        promised(lockfast_check(secrets.all[0]) == 0 && lockfast_check(secrets.all[2]) == 0, "the others are not");
      });
    }));
  }
}

TEST_CASE("a fork that the system refuses leaves closed secrets as they were") {
#if __has_include(<linux/seccomp.h>)
  if (sanitized) {
    MESSAGE("skipped: a sanitizer makes calls that the filters refuse");
    return;
  }
  for (const std::string backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      options("fork=inherit,rest=auto," + backing);
      const closed_secrets secrets(100);
      // What records take stays for the next ones.
      forked([] {});
      const struct lockfast_statistics before = statistics();
      refuse_new_processes();
      for (int tries = 0; tries < 3; ++tries) promised(fork() == -1, "no process");
      const struct lockfast_statistics after = statistics();
      promised(after.bytes_locked == before.bytes_locked && after.bytes_reserved == before.bytes_reserved, "nothing is left over");
      secrets.are(LOCKFAST_CLOSED);
      secrets.open(0, 1);
    }));
  }
#else
  MESSAGE("skipped: no filter of system calls");
#endif
}
