// budget_test.cc - when hidden memory, locks, descriptors or system calls run out: a fall-back that the receipt tells, or a refusal;
// never SIGBUS, and never a secret that is weaker than its policy.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "account.h"
#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

namespace {

constexpr std::size_t budget = 64 * 1024;

struct filled {
  std::vector<unsigned char*> held;
  std::size_t hidden = 0;
  std::size_t locked = 0;
  std::size_t unlocked = 0;
};

// Allocates up to a count of secrets, and writes each from end to end.
filled fill(bool in_group, std::size_t size, std::size_t count) {
  filled all;
  while (all.held.size() < count) {
    auto* const secret = static_cast<unsigned char*>(in_group ? lockfast_malloc(size) : lockfast_malloc_isolated(size));
    if (secret == nullptr) {
      promised(errno == ENOMEM, "ENOMEM");
      break;
    }
    std::memset(secret, static_cast<int>(all.held.size() % 251), size);
    all.held.push_back(secret);
    lockfast_receipt receipt;
    promised(lockfast_describe(secret, &receipt) == 0, "a receipt");
    all.hidden += receipt.backing == LOCKFAST_HIDDEN;
    all.locked += receipt.backing == LOCKFAST_LOCKED;
    all.unlocked += receipt.backing == LOCKFAST_UNLOCKED;
  }
  return all;
}

void check_counts(const filled& all) {
  struct lockfast_statistics counted;
  lockfast_get_statistics(&counted);
  promised(counted.live == all.held.size(), "live");
  promised(counted.live_hidden == all.hidden, "live hidden");
  promised(counted.live_unlocked == all.unlocked, "live unlocked");
}

// A few of them, since each look reads the whole list of maps.
void check_truth(const filled& all) {
  const std::size_t step = all.held.size() / 40 + 1;
  for (std::size_t at = 0; at < all.held.size(); at += step) {
    const std::string fault = untruth(all.held[at]);
    promised(fault.empty(), fault.c_str());
  }
}

void check_whole(const filled& all, std::size_t size) {
  for (std::size_t at = 0; at < all.held.size(); ++at) {
    const auto wanted = static_cast<unsigned char>(at % 251);
    promised(all.held[at][0] == wanted && all.held[at][size - 1] == wanted, "each has its own bytes");
  }
}

}  // namespace

TEST_CASE("an ordinary user who fills the budget of hidden memory is refused or falls back, by policy, and never gets SIGBUS") {
  if (!has_hidden_memory()) return;
  for (const bool in_group : {false, true}) {
    for (const bool preferred : {false, true}) {
      for (const std::size_t size : {std::size_t{48}, std::size_t{900}, std::size_t{20000}}) {
        CAPTURE(in_group);
        CAPTURE(preferred);
        CAPTURE(size);
        check_clean(in_child([&] {
          become_ordinary(budget);
          options(preferred ? "hidden=on,lock=preferred" : "hidden=on,lock=required");
          const std::size_t count = in_group && size < 1000 ? 3000 : 100;
          const filled all = fill(in_group, size, count);
          promised(all.hidden > 0, "hidden memory, as far as it goes");
          promised(all.hidden < count, "a budget that is met");
          if (preferred) promised(all.held.size() == count && all.unlocked > 0, "all served, some unlocked");
          if (!preferred) promised(all.unlocked == 0 && all.held.size() < count, "none unlocked, and a refusal in the end");
          check_whole(all, size);
          check_counts(all);
          check_truth(all);
          promised(lockfast_audit() == 0, "whole canaries");
          lockfast_receipt receipt;
          promised(lockfast_describe(all.held.back(), &receipt) == 0, "a receipt");
          if (receipt.backing != LOCKFAST_HIDDEN) {
            promised(receipt.hide_error == EAGAIN || receipt.hide_error == ENOMEM, "the reason: a limit");
          }
          for (unsigned char* const each : all.held) lockfast_free(each);
          const filled again = fill(in_group, size, 3);
          promised(again.held.size() == 3, "what was given back serves again");
        }));
      }
    }
  }
}

TEST_CASE("with no budget at all a required lock is refused, and a preferred one is served unlocked with both reasons") {
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    check_clean(in_child([&] {
      become_ordinary(0);
      options("hidden=on,lock=required");
      promised(fill(in_group, 48, 1).held.empty(), "refused");
    }));
    check_clean(in_child([&] {
      become_ordinary(0);
      options("hidden=on,lock=preferred");
      const filled all = fill(in_group, 48, 20);
      promised(all.unlocked == 20, "all unlocked");
      lockfast_receipt receipt;
      promised(lockfast_describe(all.held[7], &receipt) == 0 && receipt.lock_error != 0 && receipt.hide_error != 0, "reasons");
      check_truth(all);
    }));
  }
}

TEST_CASE("a process forks with its budget full: the child has what the policy says, by true receipts, and no SIGBUS") {
  if (!has_hidden_memory()) return;
  for (const std::string policy : {"inherit", "wipe", "absent"}) {
    for (const bool in_group : {false, true}) {
      CAPTURE(policy);
      CAPTURE(in_group);
      check_clean(in_child([&] {
        become_ordinary(budget);
        options("hidden=on,lock=preferred,fork=" + policy);
        const filled all = fill(in_group, 900, 60);
        const pid_t child = fork();
        prove(child >= 0, "a fork");
        if (child == 0) {
          if (policy == "inherit") check_whole(all, 900);
          for (unsigned char* const each : all.held) {
            if (policy == "absent") continue;
            if (policy == "wipe") promised(each[0] == 0 && each[899] == 0, "zeros");
            std::memset(each, 'c', 900);
          }
          if (policy != "absent") check_truth(all);
          for (unsigned char* const each : all.held) lockfast_free(each);
          promised(fill(in_group, 900, 5).held.size() == 5, "secrets of the child's own");
          _exit(0);
        }
        int state = 0;
        prove(waitpid(child, &state, 0) == child, "its end");
        promised(WIFEXITED(state) && WEXITSTATUS(state) == 0, "what the child was to find");
        check_whole(all, 900);
      }));
    }
  }
}

TEST_CASE("large hidden secrets in number fill the budget as small ones do, and give it back") {
  if (!has_hidden_memory()) return;
  check_clean(in_child([] {
    become_ordinary(std::size_t{4} << 20);
    options("hidden=on,lock=preferred");
    for (int round = 0; round < 3; ++round) {
      const filled all = fill(false, std::size_t{1} << 20, 8);
      promised(all.held.size() == 8, "all served");
      check_whole(all, std::size_t{1} << 20);
      check_counts(all);
      check_truth(all);
      for (unsigned char* const each : all.held) lockfast_free(each);
      (void)lockfast_trim();
    }
    promised(fill(false, std::size_t{1} << 20, 1).hidden == 1, "the budget is there again");
  }));
}

TEST_CASE("where the kernel has no memfd_secret, or a filter forbids it, secrets are locked and the receipt has its errno") {
  if (!locks_are_real()) return;
  for (const int answer : {ENOSYS, EPERM, ENOMEM, EMFILE}) {
    CAPTURE(answer);
    check_clean(in_child([&] {
      forbid_call(SYS_memfd_secret, answer);
      prove(hidden_refusal() == answer, "the filter");
      options("hidden=on");
      const holding held(1);
      for (const unsigned kind : live_secrets) {
        promised(held.receipts[kind].backing == LOCKFAST_LOCKED, "locked");
        promised(held.receipts[kind].hide_error == answer, "the reason");
        const std::string fault = untruth(held.at[kind]);
        promised(fault.empty(), fault.c_str());
      }
    }));
  }
}

// Kernels that count hidden memory by user (6.1.192, 6.12.117, 7.2 and later) map more than there is, and answer the first touch
// of a page that cannot be had: a store by SIGBUS, a write of their own by EFAULT. Here getrandom answers so for any one byte.
TEST_CASE(
    "where a hidden page is refused at its first touch, not at its map, nothing touches it: it falls back, or is refused") {
  if (!has_hidden_memory() || !locks_are_real()) return;
  for (const bool in_group : {false, true}) {
    for (const std::size_t size : {std::size_t{48}, std::size_t{900}, std::size_t{200'000}}) {
      CAPTURE(in_group);
      CAPTURE(size);
      check_clean(in_child([&] {
        options("hidden=on,lock=required");
        // From the start: under a filter that comes later nothing is hidden any more.
        forbid_call_with(SYS_getrandom, 1, 1, EFAULT);
        prove(hidden_refusal() == ENOMEM, "the filter");
        const filled all = fill(in_group, size, size > 1000 ? 20 : 400);
        promised(all.locked > 0 && all.unlocked == 0, "the others are locked");
        lockfast_receipt receipt;
        promised(lockfast_describe(all.held.back(), &receipt) == 0 && receipt.hide_error == ENOMEM, "the reason");
        check_whole(all, size);
        check_truth(all);
        promised(lockfast_audit() == 0, "whole canaries");
        for (unsigned char* const each : all.held) lockfast_free(each);
        (void)lockfast_trim();
      }));
      check_clean(in_child([&] {
        become_ordinary(0);
        options("hidden=on,lock=required");
        forbid_call_with(SYS_getrandom, 1, 1, EFAULT);
        promised(fill(in_group, size, 1).held.empty(), "refused, where there is no lock either");
      }));
    }
  }
}

TEST_CASE("a process without descriptors falls back to locked memory, and the receipt says EMFILE") {
  if (!has_hidden_memory() || !locks_are_real()) return;
  for (const bool in_group : {false, true}) {
    CAPTURE(in_group);
    check_clean(in_child([&] {
      options("hidden=on");
      rlimit limit;
      prove(getrlimit(RLIMIT_NOFILE, &limit) == 0, "the limit on descriptors");
      const rlimit none{0, limit.rlim_max};
      prove(setrlimit(RLIMIT_NOFILE, &none) == 0, "no descriptors");
      prove(hidden_refusal() == EMFILE, "hidden memory needs one");
      const filled all = fill(in_group, 48, 3);
      promised(all.locked == 3, "locked");
      lockfast_receipt receipt;
      promised(lockfast_describe(all.held[0], &receipt) == 0 && receipt.hide_error == EMFILE, "the reason");
      prove(setrlimit(RLIMIT_NOFILE, &limit) == 0, "descriptors again");
      check_truth(all);
    }));
  }
}

TEST_CASE("no descriptor is left open behind hidden secrets, however many") {
  if (!has_hidden_memory()) return;
  check_clean(in_child([] {
    options("hidden=on");
    const int first = dup(STDERR_FILENO);
    prove(first >= 0 && close(first) == 0, "a descriptor");
    // Two megabytes, whatever a page is: a limit of eight is the smallest that is usual.
    const std::size_t many = 500 * std::size_t{4096} / page_size();
    const filled all = fill(false, 48, many);
    const filled groups = fill(true, 48, 5000);
    promised(all.hidden == many && groups.hidden == 5000, "hidden secrets");
    promised(dup(STDERR_FILENO) == first, "the same descriptor is the first free one");
  }));
}
