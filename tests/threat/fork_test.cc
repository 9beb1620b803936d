// fork_test.cc - what a forked child finds: every policy, backing, placement and access; with threads in other calls; by raw clone.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iterator>
#include <string>
#include <thread>
#include <vector>

#include "account.h"
#include "family.h"
#include "holder.h"
#include "machine.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/reach.h"

namespace {

template <class Body>
void each_backing_and_policy(Body body) {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    for (const std::string policy : {"inherit", "wipe", "absent"}) {
      CAPTURE(policy);
      check_clean(in_child([&] {
        given.take_on(",fork=" + policy);
        body(policy, given);
      }));
    }
  }
}

// A fork past the C library: none of its handlers runs.
pid_t raw_fork() { return static_cast<pid_t>(syscall(SYS_clone, SIGCHLD, nullptr, nullptr, nullptr, nullptr)); }

}  // namespace

TEST_CASE("a forked child has its own copy, zeros or nothing, as the policy says, of every backing and placement") {
  each_backing_and_policy([](const std::string& policy, const backing& given) {
    const family all;
    for (const unsigned kind : live_secrets) {
      prove(all.held.receipts[kind].backing == given.kind, "the backing");
    }
    for (int round = 0; round < 3; ++round) all.part(policy);
    all.held.open_all();
    for (const unsigned kind : live_secrets) promised(all.held.whole(kind), "the parent's own at the end");
    promised(lockfast_audit() == 0, "the parent's canaries");
    all.held.free_all();
  });
}

TEST_CASE("the same while other threads of the parent allocate, write, close and free") {
  each_backing_and_policy([](const std::string& policy, const backing&) {
    const family all;
    {
      const busy_threads busy(2);
      for (int round = 0; round < 20; ++round) all.part(policy);
    }
    all.held.open_all();
    for (const unsigned kind : live_secrets) promised(all.held.whole(kind), "the parent's own at the end");
    promised(lockfast_audit() == 0, "the parent's canaries");
    all.held.free_all();
  });
}

TEST_CASE("a child has every secret of the thread that forks, however many others' secrets come meanwhile") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    // Only hidden secrets are copied while others come.
    const int process_count = given.kind == LOCKFAST_HIDDEN ? 12 : 1;
    for (int process = 0; process < process_count; ++process) {
      check_clean(in_child([&] {
        given.take_on(",fork=inherit");
        const holding held(1);
        std::vector<std::thread> growing;
        std::atomic<bool> done = false;
        for (int count = 0; count < 3; ++count) {
          growing.emplace_back([&] {
            // As many as the limit on locks allows.
            for (int many = 0; many < 2000 && !done; ++many) {
              if (lockfast_malloc(1000) == nullptr || lockfast_malloc_isolated(100) == nullptr) break;
            }
            // A child with threads that have ended and were not joined is a leak to the thread sanitizer.
            while (!done) std::this_thread::sleep_for(std::chrono::milliseconds(1));
          });
        }
        for (int round = 0; round < 4; ++round) {
          const pid_t child = fork();
          prove(child >= 0, "a fork");
          if (child == 0) {
            for (const unsigned kind : open_secrets) promised(held.whole(kind), name_of(kind).c_str());
            _exit(0);
          }
          leave_as(child);
        }
        done = true;
        for (std::thread& each : growing) each.join();
      }));
    }
  }
}

TEST_CASE("a child's child finds what the child had, by the same policy") {
  each_backing_and_policy([](const std::string& policy, const backing&) {
    const family all;
    const pid_t child = fork();
    prove(child >= 0, "a fork");
    if (child == 0) {
      if (policy == "wipe") {
        for (const unsigned kind : open_secrets) all.of_child(kind).write(all.held.at[kind]);
      }
      const pid_t next = fork();
      prove(next >= 0, "a fork");
      if (next == 0) {
        all.look(policy);
        _exit(0);
      }
      leave_as(next);
      _exit(0);
    }
    leave_as(child);
    all.held.open_all();
    for (const unsigned kind : live_secrets) promised(all.held.whole(kind), "the parent's own");
  });
}

TEST_CASE("random places and canaries of parent and child part at the fork") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    check_clean(in_child([&] {
      given.take_on(",fork=absent");
      prove(lockfast_malloc_isolated(16) != nullptr, "a secret before the fork");
      int ends[2];
      prove(pipe(ends) == 0, "a pipe");
      constexpr int count = 16;
      struct drawn {
        unsigned char canaries[count][16];
      };
      const auto draw = [] {
        drawn all;
        for (auto& each : all.canaries) {
          auto* const secret = static_cast<unsigned char*>(lockfast_malloc_isolated(64));
          prove(secret != nullptr, "a secret after the fork");
          std::memcpy(each, secret - 16, sizeof each);
        }
        return all;
      };
      const pid_t child = fork();
      prove(child >= 0, "a fork");
      if (child == 0) {
        const drawn mine = draw();
        prove(write(ends[1], &mine, sizeof mine) == sizeof mine, "a report");
        _exit(0);
      }
      const drawn ours = draw();
      drawn theirs;
      prove(read(ends[0], &theirs, sizeof theirs) == sizeof theirs, "a report");
      leave_as(child);
      for (const auto& one : ours.canaries) {
        for (const auto& other : theirs.canaries) promised(std::memcmp(one, other, sizeof one) != 0, "canaries that differ");
      }
    }));
  }
}

TEST_CASE(
    "a forked child's copies have canaries of a key of its own, so that what is learnt of one side tells nothing of the "
    "other") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    check_clean(in_child([&] {
      given.take_on(",fork=inherit");
      constexpr std::size_t size = 48;
      constexpr std::size_t beside = 8;  // bytes of canary in front of a grouped secret, at least
      unsigned char* const secrets[] = {
          static_cast<unsigned char*>(lockfast_malloc_isolated(size)),
          static_cast<unsigned char*>(lockfast_malloc_isolated(100'000)), static_cast<unsigned char*>(lockfast_malloc(size)),
          static_cast<unsigned char*>(lockfast_compartment_malloc(lockfast_compartment_create(), size))};
      unsigned char before[std::size(secrets)][beside];
      for (std::size_t at = 0; at < std::size(secrets); ++at) {
        prove(secrets[at] != nullptr, "a secret");
        std::memcpy(before[at], secrets[at] - beside, beside);
      }
      const pid_t child = fork();
      prove(child >= 0, "a fork");
      if (child == 0) {
        for (std::size_t at = 0; at < std::size(secrets); ++at) {
          promised(std::memcmp(before[at], secrets[at] - beside, beside) != 0, "a canary of the child's own");
          promised(lockfast_check(secrets[at]) == 0, "which is whole");
          std::memcpy(secrets[at] - beside, before[at], beside);
          promised(lockfast_check(secrets[at]) == -1, "the parent's is none here");
        }
        _exit(0);
      }
      leave_as(child);
      for (std::size_t at = 0; at < std::size(secrets); ++at) {
        promised(std::memcmp(before[at], secrets[at] - beside, beside) == 0 && lockfast_check(secrets[at]) == 0,
                 "the parent's");
      }
    }));
  }
}

TEST_CASE("a raw clone, which runs no fork handler, has nothing under fork=absent, and no secret under fork=wipe") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    for (const std::string policy : {"wipe", "absent"}) {
      CAPTURE(policy);
      check_clean(in_child([&] {
        given.take_on(",fork=" + policy);
        const holding held(1);
        const pid_t child = raw_fork();
        prove(child >= 0, "a clone");
        if (child == 0) {
          for (const unsigned kind : open_secrets) {
            const bool traps = !readable_here(held.at[kind]);
            promised(traps || (policy == "wipe" && all_zero(held.at[kind])), name_of(kind).c_str());
          }
          _exit(0);
        }
        leave_as(child);
        for (const unsigned kind : open_secrets) promised(held.whole(kind), "the parent's own");
      }));
    }
  }
}

TEST_CASE("not held: under fork=inherit a raw clone has copies without a lock; of hidden secrets it has nothing") {
  for (const backing& given : backings()) {
    CAPTURE(given.name);
    check_clean(in_child([&] {
      given.take_on(",fork=inherit");
      const holding held(1);
      const pid_t child = raw_fork();
      prove(child >= 0, "a clone");
      if (child == 0) {
        for (const unsigned kind : open_secrets) {
          if (given.kind == LOCKFAST_HIDDEN) {
            promised(!readable_here(held.at[kind]), name_of(kind).c_str());
          } else {
            promised(held.whole(kind) && !state_of(held.at[kind]).locked, name_of(kind).c_str());
          }
        }
        _exit(0);
      }
      leave_as(child);
      for (const unsigned kind : open_secrets) promised(held.whole(kind), "the parent's own");
    }));
  }
}

TEST_CASE("not held: a vfork's child runs in its parent's memory, whatever the policy") {
  if (sanitized()) {
    MESSAGE("skipped: the thread sanitizer makes a fork of it");
    return;
  }
  check_clean(in_child([] {
    options("fork=absent");
    const holding held(1);
    static volatile bool seen = false;
    const pid_t child = vfork();
    prove(child >= 0, "a vfork");
    if (child == 0) {
      seen = held.whole(isolated);
      _exit(0);
    }
    promised(seen, "the parent's secret");
  }));
}
