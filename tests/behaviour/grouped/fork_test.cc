// fork_test.cc - what a forked child finds of grouped secrets, under each policy, at any moment of its parent's life.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <mutex>
#include <random>
#include <thread>
#include <vector>

#include "behaviour/forked.h"
#include "behaviour/grouped.h"
#include "support/page_state.h"
#include "support/reach.h"

namespace {

// Some live secrets of each size, and some places that are free by now.
struct held {
  held() {
    for (const std::size_t size : {1U, 32U, 300U, 4000U, 16384U}) {
      for (int count = 0; count < 30; ++count) {
        all.push_back({secret_of(size), size});
        std::memset(all.back().address, 'p', size);
        lockfast_free(secret_of(size));
      }
    }
  }
  void unchanged() const {
    for (const auto& [address, size] : all) {
      promised(filled(address, size, 'p'), "the parent's bytes");
      promised(lockfast_size(address) == size && state_of(address).locked, "the parent's secret, locked");
    }
    promised(lockfast_audit() == 0, "the parent's canaries");
    promised(statistics().live == all.size(), "the parent's counts");
    for (const auto& each : all) lockfast_free(each.address);
    promised(statistics().live == 0, "none is live");
  }
  struct one {
    char* address;
    std::size_t size;
  };
  std::vector<one> all;
};

void use_fresh_ones() {
  std::vector<char*> fresh;
  for (int count = 0; count < 300; ++count) {
    fresh.push_back(secret_of(static_cast<std::size_t>(count) * 7));
    promised(lockfast_check(fresh.back()) == 0, "whole canaries");
  }
  promised(state_of(fresh.back()).locked && state_of(fresh.back()).undumpable == advice_is_followed(),
           "locked secrets of the child's own");
  for (std::size_t at = 0; at < fresh.size(); ++at) promised(filled(fresh[at], at * 7, 'x'), "their bytes");
  promised(lockfast_audit() == 0, "whole canaries");
  for (char* const secret : fresh) lockfast_free(secret);
}

}  // namespace

TEST_CASE("fork=inherit gives the child a private copy of every grouped secret, locked again") {
  check_clean(in_child([] {
    options("fork=inherit");
    const held secrets;
    forked([&] {
      promised(statistics().live == secrets.all.size(), "all are live");
      promised(lockfast_audit() == 0, "whole canaries");
      for (const auto& [address, size] : secrets.all) {
        promised(filled(address, size, 'p'), "the copy");
        promised(receipt_of(address).backing != LOCKFAST_UNLOCKED && state_of(address).locked, "the lock");
        promised(state_of(address).undumpable == advice_is_followed(), "out of core dumps");
        std::memset(address, 'c', size);
        promised(lockfast_check(address) == 0, "canaries");
      }
      use_fresh_ones();
      for (const auto& each : secrets.all) lockfast_free(each.address);
      promised(statistics().live == 0, "none is live");
      use_fresh_ones();
      (void)lockfast_trim();
      promised(statistics().bytes_locked == 0, "all is given back");
    });
    secrets.unchanged();
  }));
}

TEST_CASE("fork=inherit: a child's realloc, check and breach are the child's alone") {
  const ending end = in_child([] {
    options("fork=inherit");
    const held secrets;
    forked([&] {
      auto* const moved = static_cast<char*>(lockfast_realloc(secrets.all[0].address, 200));
      promised(moved != nullptr && moved[0] == 'p', "moved");
      lockfast_free(moved);
    });
    const pid_t child = fork();
    if (child == 0) {
      secrets.all[1].address[-1] ^= 1;
      lockfast_free(secrets.all[1].address);
      _exit(0);
    }
    int state = 0;
    waitpid(child, &state, 0);
    promised(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT, "a breach in the child");
    secrets.unchanged();
  });
  CAPTURE(end.text);
  CHECK(end.signal == 0);
  CHECK(end.status == 0);
  CHECK(end.text == std::string("lockfast: ").append(broken).append("\n"));
}

TEST_CASE("a grouped secret whose canary was broken before a fork is found so in the child") {
  check_clean(in_child([] {
    options("fork=inherit");
    for (const std::size_t size : {32U, 40U}) {
      char* const whole = secret_of(size);
      char* const damaged = secret_of(size);
      damaged[size] ^= 1;
      forked(
          [&] { promised(lockfast_check(damaged) == -1 && lockfast_check(whole) == 0 && lockfast_audit() == 1, "that one"); });
      damaged[size] ^= 1;
    }
  }));
}

TEST_CASE("fork=wipe gives the child zeros in every grouped secret, with canaries that hold") {
  check_clean(in_child([] {
    options("fork=wipe");
    const held secrets;
    forked([&] {
      promised(lockfast_audit() == 0, "whole canaries");
      for (const auto& [address, size] : secrets.all) {
        promised(filled(address, size, 0), "zeros");
        promised(lockfast_size(address) == size && lockfast_check(address) == 0, "a secret still");
      }
      use_fresh_ones();
      for (const auto& [address, size] : secrets.all) {
        std::memset(address, 'c', size);
        lockfast_free(address);
      }
      promised(statistics().live == 0, "none is live");
      use_fresh_ones();
    });
    secrets.unchanged();
  }));
}

TEST_CASE("fork=absent, the default, gives the child nothing: a touch traps, a free is nothing, a second free a breach") {
  check_clean(in_child([] {
    const held secrets;
    forked([&] {
      for (const auto& [address, size] : secrets.all) {
        promised(!readable_here(address) && !readable_here(address + size - 1), "traps");
        lockfast_receipt receipt;
        promised(lockfast_describe(address, &receipt) == -1 && lockfast_size(address) == 0, "no receipt");
      }
      promised(lockfast_audit() == 0, "nothing is damaged");
      use_fresh_ones();
      for (std::size_t at = 0; at < secrets.all.size(); at += 2) lockfast_free(secrets.all[at].address);
      use_fresh_ones();
      forked([&] {  // a grandchild finds the child's state
        promised(!readable_here(secrets.all[1].address), "traps");
        lockfast_free(secrets.all[1].address);
        use_fresh_ones();
      });
      for (std::size_t at = 1; at < secrets.all.size(); at += 2) lockfast_free(secrets.all[at].address);
      use_fresh_ones();
    });
    secrets.unchanged();
  }));
  const ending again = in_child([] {
    const held secrets;
    const pid_t child = fork();
    if (child == 0) {
      lockfast_free(secrets.all[0].address);
      lockfast_free(secrets.all[0].address);
      _exit(0);
    }
    int state = 0;
    waitpid(child, &state, 0);
    promised(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT, "a breach");
  });
  CAPTURE(again.text);
  CHECK(again.status == 0);
  CHECK(again.said(twice));
}

TEST_CASE("a touch of a grouped secret that its parent kept kills the child") {
  const ending end = in_child([] {
    char* const secret = secret_of(32);
    const pid_t child = fork();
    if (child == 0) {
      static_cast<void>(*const_cast<volatile char*>(secret));
      _exit(0);
    }
    int state = 0;
    waitpid(child, &state, 0);
    promised(WIFSIGNALED(state) && (WTERMSIG(state) == SIGSEGV || WTERMSIG(state) == SIGBUS), "a trap");
  });
  check_clean(end);
}

TEST_CASE("while other threads allocate, free and end, a child allocates, frees, audits and trims, many times") {
  for (const char* const policy : {"fork=inherit", "fork=wipe", "fork=absent", "fork=inherit,freed=recycle"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      std::vector<char*> mine;
      for (int count = 0; count < 50; ++count) mine.push_back(secret_of(32));
      std::mutex mutex;
      std::vector<char*> shelf;
      std::atomic<bool> done = false;
      const auto churn = [&](unsigned seed, int rounds) {
        std::mt19937 random(seed);
        for (int round = 0; !done && round != rounds; ++round) {
          const std::size_t size = random() % (random() % 20 == 0 ? 30000 : 500);
          auto* const secret = static_cast<char*>(lockfast_malloc(size));
          if (secret == nullptr) continue;
          std::memset(secret, 'x', size);
          char* other = secret;
          {
            const std::scoped_lock kept(mutex);
            shelf.push_back(secret);
            std::swap(shelf[random() % shelf.size()], shelf.back());
            if (shelf.size() < 40) continue;
            other = shelf.back();
            shelf.pop_back();
          }
          if (round % 3 == 0) (void)lockfast_check(other);
          lockfast_free(other);
          if (round % 100 == 0) (void)lockfast_trim();
          if (round % 100 == 50) (void)lockfast_audit();
        }
      };
      std::vector<std::thread> busy;
      busy.emplace_back(churn, 1, -1);
      busy.emplace_back(churn, 2, -1);
      // One whose threads end all the time.
      busy.emplace_back([&] {
        for (unsigned seed = 3; !done; ++seed) std::thread(churn, seed, 50).join();
      });
      const bool readable = std::strstr(policy, "absent") == nullptr;
      for (int round = 0; round < 80; ++round) {
        forked([&] {
          for (int count = 0; count < 200; ++count) {
            char* const secret = secret_of(static_cast<std::size_t>(count) % 5 * 60);
            promised(lockfast_check(secret) == 0, "whole canaries");
            lockfast_free(secret);
          }
          promised(lockfast_audit() == 0, "whole canaries");
          for (char* const secret : mine) {
            promised(readable_here(secret) == readable, "what the policy says");
            lockfast_free(secret);
          }
          (void)lockfast_trim();
          lockfast_free(secret_of(32));
        });
      }
      done = true;
      for (std::thread& one : busy) one.join();
      promised(lockfast_audit() == 0, "the parent's canaries");
      for (char* const secret : mine) lockfast_free(secret);
      for (char* const secret : shelf) lockfast_free(secret);
      promised(statistics().live == 0, "none is live");
    }));
  }
}
