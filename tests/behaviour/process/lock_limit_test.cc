// lock_limit_test.cc - RLIMIT_MEMLOCK on the real host: the soft limit, the hard one, and what happens at it.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <vector>

#include "support/child.h"
#include "support/lock_budgets.h"
#include "support/page_state.h"
#include "support/probe.h"

namespace {

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

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
    lockfast_get_statistics(&counted);
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

TEST_CASE("a secret is freed at the lock limit under mlockall(MCL_FUTURE), and its pages serve again") {
  if (!asks_for_own_process("all that is mapped is locked")) return;
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    const ending end = in_child([=] {
      options("lock=required");
      become_ordinary(256 * 1024);
      const auto make = [=] { return in_group ? lockfast_malloc(4000) : lockfast_malloc_isolated(4000); };
      std::vector<void*> held;
      for (void* made = make(); made != nullptr; made = make()) held.push_back(made);
      prove(held.size() > 20, "secrets up to the limit");
      if (mlockall(MCL_FUTURE) != 0) skip("mlockall is refused");
      const std::size_t count = held.size();
      for (void* const secret : held) lockfast_free(secret);
      (void)lockfast_trim();
      held.clear();
      while (held.size() < count / 2) {
        held.push_back(make());
        promised(held.back() != nullptr, "a secret in the pages of those");
      }
      struct lockfast_statistics counted;
      lockfast_get_statistics(&counted);
      promised(counted.live == count / 2 && counted.live_unlocked == 0, "all of them locked");
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
  const ending end = in_child([] {
    const rlimit limit{0, 1 << 20};
    prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "the limit");
    prove(lockfast_malloc_isolated(1) != nullptr, "a secret");
    rlimit now;
    promised(getrlimit(RLIMIT_MEMLOCK, &now) == 0 && now.rlim_cur == 1 << 20, "raised");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
