// fork_test.cc - what a forked child finds, under each fork policy, and that its parent never notices.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <vector>

#include "support/check.h"
#include "support/child.h"
#include "support/page_state.h"
#include "support/probe.h"
#include "support/sanitized.h"

namespace {

void options(const char* text) { prove(set_variable("LOCKFAST_OPTIONS", text), "the variable"); }

// Runs body in a child of this process; the promise is that it leaves with 0.
template <class Body>
void forked(Body body) {
  const pid_t child = fork();
  prove(child >= 0, "a fork");
  if (child == 0) {
    body();
    _exit(0);
  }
  int state = 0;
  prove(waitpid(child, &state, 0) == child, "its end");
  promised(WIFEXITED(state) && WEXITSTATUS(state) == 0, "what the child was to find");
}

struct held {
  held() {
    for (char*& secret : all) {
      secret = static_cast<char*>(lockfast_malloc_isolated(5000));
      prove(secret != nullptr, "a secret");
      std::memset(secret, 'p', 5000);
    }
    large = static_cast<char*>(lockfast_malloc_isolated(1 << 20));
    prove(large != nullptr, "a large secret");
    std::memset(large, 'p', 1 << 20);
    prove(lockfast_protect(all[1], LOCKFAST_READONLY) == 0 && lockfast_protect(all[2], LOCKFAST_NOACCESS) == 0, "accesses");
    lockfast_free(all[3]);
  }
  void unchanged() const {
    for (const int index : {0, 1}) promised(all[index][0] == 'p' && all[index][4999] == 'p', "the parent's secret");
    promised(large[0] == 'p' && large[(1 << 20) - 1] == 'p', "the parent's large secret");
    promised(traps_on_read(all[2]), "the parent's access");
    promised(lockfast_audit() == 0, "the parent's canaries");
    for (const int index : {0, 1, 2}) lockfast_free(all[index]);
    lockfast_free(large);
  }
  char* all[4];
  char* large;
};

}  // namespace

TEST_CASE("fork=inherit gives the child a private copy, locked again, of the same access") {
  for (const char* const policy : {"fork=inherit", "fork=inherit,hidden=off"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      const held secrets;
      forked([&] {
        promised(secrets.all[0][0] == 'p' && secrets.large[0] == 'p', "the copy");
        promised(traps_on_write(secrets.all[1]), "read-only");
        promised(traps_on_read(secrets.all[2]), "no access");
        for (char* const secret : {secrets.all[0], secrets.all[1], secrets.all[2], secrets.large}) {
          lockfast_receipt receipt;
          promised(lockfast_describe(secret, &receipt) == 0 && receipt.lock_error == 0 && receipt.backing != LOCKFAST_UNLOCKED,
                   "a receipt of the lock");
          promised(lockfast_check(secret) == 0, "canaries");
          // A closed one may be sealed: it has pages from here on.
          promised(lockfast_protect(secret, LOCKFAST_READWRITE) == 0 && secret[0] == 'p', "access");
          promised(state_of(secret).locked && state_of(secret).undumpable == advice_is_followed(), "the lock itself");
          std::memset(secret, 'c', 100);
          lockfast_free(secret);
        }
        void* const fresh = lockfast_malloc_isolated(5000);
        promised(fresh != nullptr && state_of(fresh).locked, "a secret of the child's own");
        lockfast_free(fresh);
      });
      secrets.unchanged();
    }));
  }
}

TEST_CASE("fork=inherit without room for a copy leaves hidden secrets absent, never zero, and the child goes on") {
  if (sanitized) {
    MESSAGE("skipped: a sanitizer needs address space of its own");
    return;
  }
  check_clean(in_child([] {
    options("fork=inherit,hidden=on");
    auto* const isolated = static_cast<char*>(lockfast_malloc_isolated(32));
    auto* const grouped = static_cast<char*>(lockfast_malloc(32));
    prove(isolated != nullptr && grouped != nullptr, "secrets");
    lockfast_receipt receipt;
    if (lockfast_describe(isolated, &receipt) != 0 || receipt.backing != LOCKFAST_HIDDEN) return;
    for (char* const secret : {isolated, grouped}) std::memset(secret, 'p', 32);
    rlimit before;
    prove(getrlimit(RLIMIT_AS, &before) == 0, "the limit");
    // As much address space as there is now: nothing for the copy, but what the child lacks could be filled with zeros.
    unsigned long pages = 0;
    std::FILE* const counts = std::fopen("/proc/self/statm", "r");
    prove(counts != nullptr && std::fscanf(counts, "%lu", &pages) == 1, "the address space in use");
    std::fclose(counts);
    const rlimit no_more{pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)), before.rlim_max};
    prove(setrlimit(RLIMIT_AS, &no_more) == 0, "no address space for the copy");
    forked([&] {
      prove(setrlimit(RLIMIT_AS, &before) == 0, "address space for the child");
      for (char* const secret : {isolated, grouped}) {
        promised(traps_on_read(secret), "a touch traps");
        promised(lockfast_describe(secret, &receipt) == -1, "no receipt");
        lockfast_free(secret);
      }
      void* const own = lockfast_malloc(32);
      promised(own != nullptr && lockfast_check(own) == 0 && lockfast_audit() == 0, "a secret of the child's own");
      lockfast_free(own);
    });
    prove(setrlimit(RLIMIT_AS, &before) == 0, "the limit as it was");
    for (char* const secret : {isolated, grouped}) promised(secret[0] == 'p' && secret[31] == 'p', "the parent's secret");
  }));
}

TEST_CASE("fork=inherit copies an isolated secret that another thread opens and closes without a pause") {
  check_clean(in_child([] {
    options("fork=inherit");
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
    prove(secret != nullptr, "a secret");
    std::memset(secret, 'b', 32);
    std::atomic<bool> ended = false;
    std::thread other([&] {
      while (!ended) {
        prove(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened");
        prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
      }
    });
    for (int round = 0; round < 50; ++round) {
      forked([&] {
        promised(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "the child opens its copy");
        promised(secret[0] == 'b' && secret[31] == 'b' && lockfast_check(secret) == 0, "and finds the secret");
      });
    }
    ended = true;
    other.join();
  }));
}

TEST_CASE("a child keeps the address space of pages that another thread hides and gives back") {
  check_clean(in_child([] {
    options("fork=inherit");
    std::atomic<char*> seen = nullptr;
    std::atomic<bool> ended = false;
    std::thread other([&] {
      // It keeps the region.
      void* const kept = lockfast_malloc_isolated(32);
      prove(kept != nullptr, "a secret");
      while (!ended) {
        auto* const passing = static_cast<char*>(lockfast_malloc_isolated(32));
        prove(passing != nullptr, "a further secret");
        seen = page_of(passing);
        lockfast_free(passing);
        lockfast_trim();
      }
      lockfast_free(kept);
    });
    while (seen == nullptr) std::this_thread::yield();
    for (int round = 0; round < 100; ++round) {
      forked([&] {
        const void* const taken = mmap(seen, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
        promised(taken != seen, "nothing else can be mapped there");
      });
    }
    ended = true;
    other.join();
  }));
}

TEST_CASE("fork=wipe gives the child zeros, with canaries that hold") {
  check_clean(in_child([] {
    options("fork=wipe");
    const held secrets;
    forked([&] {
      promised(secrets.all[0][0] == 0 && secrets.all[0][4999] == 0 && secrets.large[77777] == 0, "zeros");
      promised(lockfast_audit() == 0, "canaries");
      promised(traps_on_write(secrets.all[1]), "read-only");
      for (char* const secret : {secrets.all[0], secrets.all[1], secrets.all[2], secrets.large}) lockfast_free(secret);
      void* const fresh = lockfast_malloc_isolated(5000);
      promised(fresh != nullptr, "a secret of the child's own");
    });
    secrets.unchanged();
  }));
}

TEST_CASE("fork=absent, the default, gives the child nothing: a touch traps, a free is nothing, a second free a breach") {
  check_clean(in_child([] {
    const held secrets;
    forked([&] {
      promised(traps_on_read(secrets.all[0]) && traps_on_write(secrets.large), "traps");
      promised(lockfast_protect(secrets.all[0], LOCKFAST_READONLY) == -1, "no access to be had");
      lockfast_receipt receipt;
      promised(lockfast_describe(secrets.all[0], &receipt) == -1, "no receipt");
      promised(lockfast_audit() == 0, "nothing is damaged");
      lockfast_free(secrets.all[0]);
      lockfast_free(secrets.large);
      std::vector<void*> fresh;
      for (int count = 0; count < 1000; ++count) {
        fresh.push_back(lockfast_malloc_isolated(5000));
        promised(fresh.back() != nullptr, "secrets of the child's own");
        std::memset(fresh.back(), 'c', 5000);
      }
      for (std::size_t at = 0; at < fresh.size(); at += 50) {
        promised(state_of(fresh[at]).undumpable == advice_is_followed(), "out of core dumps");
      }
      for (void* const secret : fresh) lockfast_free(secret);
      // A grandchild finds the child's state.
      forked([&] {
        promised(traps_on_read(secrets.all[1]), "traps");
        lockfast_free(secrets.all[1]);
      });
    });
    secrets.unchanged();
  }));
  const ending twice = in_child([] {
    const held secrets;
    const pid_t child = fork();
    if (child == 0) {
      lockfast_free(secrets.all[0]);
      lockfast_free(secrets.all[0]);
      _exit(0);
    }
    int state = 0;
    waitpid(child, &state, 0);
    promised(WIFSIGNALED(state) && WTERMSIG(state) == SIGABRT, "a breach");
  });
  CHECK(twice.status == 0);
  CHECK(twice.said("lockfast: double free"));
}

TEST_CASE("a child's canaries are its own, and one that was broken before the fork is found so in the child") {
  for (const char* const policy : {"fork=inherit", "fork=inherit,hidden=off", "fork=wipe"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      constexpr std::size_t canary_size = 16;
      char* secrets[2];
      for (char*& secret : secrets) {
        secret = static_cast<char*>(lockfast_malloc_isolated(32));
        prove(secret != nullptr, "a secret");
      }
      auto [whole, damaged] = secrets;
      char canary[canary_size];
      std::memcpy(canary, whole - canary_size, canary_size);
      damaged[-1] ^= 1;
      const bool wipes = std::strcmp(policy, "fork=wipe") == 0;
      forked([&] {
        promised(std::memcmp(canary, whole - canary_size, canary_size) != 0, "another canary");
        promised(lockfast_check(whole) == 0, "whole");
        // What is wiped has no damage left.
        promised(lockfast_check(damaged) == (wipes ? 0 : -1), "damaged");
      });
      promised(std::memcmp(canary, whole - canary_size, canary_size) == 0, "the parent's is as it was");
    }));
  }
}

TEST_CASE("threads in other calls at the moment of fork do no harm") {
  for (const char* const policy : {"fork=inherit", "fork=wipe", "fork=absent", "fork=inherit,freed=recycle"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      options(policy);
      std::atomic<bool> done = false;
      std::vector<std::thread> busy;
      for (int count = 0; count < 3; ++count) {
        busy.emplace_back([&] {
          while (!done) {
            auto* const secret = static_cast<char*>(lockfast_malloc_isolated(100));
            if (secret == nullptr) continue;
            std::memset(secret, 'x', 100);
            (void)lockfast_protect(secret, LOCKFAST_NOACCESS);
            (void)lockfast_check(secret);
            lockfast_free(secret);
          }
        });
      }
      for (int round = 0; round < 50; ++round) {
        forked([] {
          for (int count = 0; count < 20; ++count) {
            void* const secret = lockfast_malloc_isolated(100);
            promised(secret != nullptr, "a secret");
            lockfast_free(secret);
          }
          promised(lockfast_audit() == 0, "whole canaries");
        });
      }
      done = true;
      for (std::thread& one : busy) one.join();
    }));
  }
}

TEST_CASE("claims on the caller's own memory are locked again in a child") {
  check_clean(in_child([] {
    static char memory[3 * 4096];
    prove(lockfast_mlock(memory + 100, 5000) == 0, "a claim");
    forked([&] {
      promised(state_of(memory + 100).locked && state_of(memory + 5000).locked, "locked again");
      promised(lockfast_munlock(memory + 100, 5000) == 0, "given up");
      promised(!state_of(memory + 100).locked, "unlocked");
    });
    promised(state_of(memory + 100).locked, "the parent's lock");
  }));
}
