// rest_test.cc - secrets at rest on the real host: what is closed beyond the lock limit is nowhere plain in memory that can be
// swapped, and whole when it is opened; threads; forks.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "behaviour/forked.h"
#include "behaviour/numbered_secret.h"
#include "support/check.h"
#include "support/child.h"
#include "support/lock_budgets.h"
#include "support/page_state.h"
#include "support/patience.h"
#include "support/probe.h"
#include "support/sanitized.h"
#include "support/unlocked_memory.h"

namespace {

constexpr std::size_t size = sizeof(numbered_secret);

void options(const std::string& text) { prove(set_variable("LOCKFAST_OPTIONS", text.c_str()), "the variable"); }

struct lockfast_statistics statistics() {
  struct lockfast_statistics now;
  lockfast_get_statistics(&now);
  return now;
}

struct herd {
  explicit herd(std::size_t count) : all(count) {
    for (std::size_t at = 0; at < count; ++at) {
      all[at] = lockfast_malloc_isolated(size);
      prove(all[at] != nullptr, "a secret");
      write_into(all[at], at);
      promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed");
    }
  }
  void open_each() const {
    for (std::size_t at = 0; at < all.size(); ++at) {
      promised(lockfast_protect(all[at], LOCKFAST_READONLY) == 0, "opened");
      promised(holds(all[at], at), "whole");
      promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed again");
    }
  }
  std::vector<void*> all;
};

const char* const policies[] = {"", "hidden=off", "rest=seal", "hidden=off,lock=preferred", "fork=inherit,lock=preferred"};

}  // namespace

TEST_CASE("10,000 closed secrets lie nowhere plain in unlocked memory, under 8 MiB and 64 KiB of locks, and open whole") {
  if (sanitized) {
    MESSAGE("skipped: all memory is searched, and a sanitizer's has terabytes");
    return;
  }
  for (const std::size_t limit : {std::size_t{8} << 20, std::size_t{64} << 10}) {
    for (const char* const policy : policies) {
      CAPTURE(limit);
      CAPTURE(policy);
      check_clean(in_child([&] {
        alarm(patience(120));
        prove(become_user(limit), "an ordinary user under the limit");
        options(policy);
        const herd secrets(10000);
        promised(statistics().live == 10000 && statistics().live_unlocked == 0, "none is unlocked");
        promised(statistics().live_sealed >= 10000 - lock_budgets() * limit / 4096, "those beyond the limit are sealed");
        promised(plain_in_unlocked_memory() == 0, "none is plain");
        static unsigned char control[size];
        write_into(control, 1);
        promised(plain_in_unlocked_memory() == 1, "the control, which is found");
        lockfast_wipe(control, sizeof control);
        secrets.open_each();
        promised(plain_in_unlocked_memory() == 0, "nor afterwards");
        promised(lockfast_audit() == 0, "none is damaged");
        for (void* const each : secrets.all) lockfast_free(each);
      }));
    }
  }
}

// Bytes of this process's memory in RAM, page tables included.
std::size_t resident() {
  std::FILE* const status = std::fopen("/proc/self/status", "re");
  prove(status != nullptr, "the size of this process");
  std::size_t sum = 0;
  char line[256];
  while (std::fgets(line, sizeof line, status) != nullptr) {
    std::size_t kibibytes = 0;
    if (std::sscanf(line, "VmRSS: %zu", &kibibytes) == 1 || std::sscanf(line, "VmPTE: %zu", &kibibytes) == 1) sum += kibibytes << 10;
  }
  std::fclose(status);
  return sum;
}

// LOCKFAST_TEST_SECRETS asks for another number, such as a million (docs/testing.md).
std::size_t count_for_this_run() {
  const char* const asked = std::getenv("LOCKFAST_TEST_SECRETS");
  return asked == nullptr ? 100'000 : std::strtoul(asked, nullptr, 10);
}

TEST_CASE("at rest an isolated secret takes at most 200 bytes of RAM, for an ordinary user under 8 MiB and the limit on maps") {
  if (!asks_for_own_process("the RAM that a process takes")) return;
  if (sanitized) {
    MESSAGE("skipped: a sanitizer has memory of its own for each page");
    return;
  }
  check_clean(in_child([] {
    alarm(patience(600));
    const std::size_t count = count_for_this_run();
    prove(become_user(std::size_t{8} << 20), "an ordinary user under the limit");
    std::vector<void*> all(count, &all);  // every page of it touched
    const std::size_t before = resident();
    for (std::size_t at = 0; at < count; ++at) {
      all[at] = lockfast_malloc_isolated(size);
      prove(all[at] != nullptr, "a secret");
      write_into(all[at], at);
      promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed");
    }
    (void)lockfast_trim();
    const std::size_t each = (resident() - before) / count;
    const auto now = statistics();
    std::fprintf(stderr, "%zu secrets: %zu bytes resident each, %zu maps of %zu\n", count, each, now.maps_used, now.map_limit);
    promised(now.live_isolated == count && now.live_sealed == count, "all are sealed");
    promised(each <= 200, "200 bytes each");
    for (std::size_t at = 0; at < count; ++at) {
      promised(lockfast_protect(all[at], LOCKFAST_READONLY) == 0 && holds(all[at], at), "opened, and whole");
      promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed again");
    }
    for (void* const secret : all) lockfast_free(secret);
    promised(statistics().live == 0, "none left");
  }));
}

TEST_CASE("a program that seals at the lock limit, frees and trims finds as much room to lock each time") {
  for (const char* const policy : {"lock=required", "lock=required,hidden=off"}) {
    CAPTURE(policy);
    check_clean(in_child([&] {
      prove(become_user(std::size_t{64} << 10), "an ordinary user under the limit");
      options(policy);
      std::size_t first = 0;
      for (int round = 0; round < 20; ++round) {
        std::vector<void*> all;
        for (void* made = lockfast_malloc_isolated(size); made != nullptr; made = lockfast_malloc_isolated(size)) all.push_back(made);
        // One page and its charge are the key's from the first round on.
        if (round == 1) first = all.size();
        promised(round == 0 || (!all.empty() && all.size() == first), "as many locked ones as before");
        promised(lockfast_protect(all[0], LOCKFAST_NOACCESS) == 0, "closed");
        void* const one_more = lockfast_malloc_isolated(size);
        prove(statistics().live_sealed == 1, "a sealed secret");
        lockfast_free(one_more);
        for (void* const each : all) lockfast_free(each);
        (void)lockfast_trim();
      }
    }));
  }
}

TEST_CASE("a closed secret beyond the lock limit lies plain in unlocked memory under rest=keep") {
  if (sanitized) {
    MESSAGE("skipped: all memory is searched, and a sanitizer's has terabytes");
    return;
  }
  check_clean(in_child([] {
    prove(become_user(std::size_t{64} << 10), "an ordinary user under the limit");
    options("rest=keep,lock=preferred,hidden=off");
    const herd secrets(100);
    promised(statistics().live_unlocked > 80, "unlocked");
    promised(plain_in_unlocked_memory() >= 80, "and plain");
  }));
}

TEST_CASE("a sealed secret traps when it is touched, and keeps its guards when it is open") {
  check_clean(in_child([] {
    options("rest=seal");
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(size));
    prove(secret != nullptr, "a secret");
    write_into(secret, 1);
    prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
    lockfast_trim();
    promised(traps_on_read(secret), "sealed");
    promised(lockfast_protect(secret, LOCKFAST_READWRITE) == 0 && holds(secret, 1), "opened");
    promised(traps_on_read(secret + size), "the guard behind it");
    promised(traps_on_read(secret - 4096), "the guard in front of it");
    secret[-1] = static_cast<char>(~secret[-1]);
    promised(lockfast_check(secret) == -1 && errno == EFAULT, "a canary in front of it");
  }));
}

TEST_CASE("a sealed secret under fork=inherit opens in the child and in the child's child, and each writes its own") {
  if (sanitized) {
    MESSAGE("skipped: all memory is searched, and a sanitizer's has terabytes");
    return;
  }
  for (const char* const more : {"", ",hidden=off"}) {
    for (const char* const rest : {"rest=seal", "rest=auto"}) {
      CAPTURE(more);
      CAPTURE(rest);
      check_clean(in_child([&] {
        prove(become_user(std::size_t{64} << 10), "an ordinary user under the limit");
        options(std::string("fork=inherit,lock=preferred,") + rest + more);
        const herd secrets(40);
        forked([&] {
          secrets.open_each();
          forked([&] {
            secrets.open_each();
            for (void* const each : secrets.all) {
              promised(lockfast_protect(each, LOCKFAST_READWRITE) == 0, "opened in the child's child");
              write_into(each, 7);
              promised(lockfast_protect(each, LOCKFAST_NOACCESS) == 0, "closed in the child's child");
            }
            promised(plain_in_unlocked_memory() == 0, "none is plain");
          });
          secrets.open_each();
          promised(lockfast_audit() == 0, "the child's are whole");
          for (void* const each : secrets.all) lockfast_free(each);
        });
        secrets.open_each();
        promised(lockfast_audit() == 0, "the parent's are whole");
      }));
    }
  }
}

TEST_CASE("a sealed secret under fork=wipe opens as zeros in the child, and traps there under fork=absent") {
  for (const char* const more : {"", ",hidden=off"}) {
    check_clean(in_child([&] {
      options(std::string("fork=wipe,rest=seal") + more);
      const herd secrets(10);
      forked([&] {
        for (void* const each : secrets.all) {
          promised(lockfast_protect(each, LOCKFAST_READWRITE) == 0, "opened");
          for (std::size_t at = 0; at < size; ++at) promised(static_cast<char*>(each)[at] == 0, "zeros");
          write_into(each, 3);
          promised(lockfast_protect(each, LOCKFAST_NOACCESS) == 0, "closed");
          promised(lockfast_protect(each, LOCKFAST_READONLY) == 0 && holds(each, 3), "the child's own");
          lockfast_free(each);
        }
      });
      secrets.open_each();
    }));
    check_clean(in_child([&] {
      options(std::string("fork=absent,rest=seal") + more);
      const herd secrets(10);
      forked([&] {
        promised(lockfast_protect(secrets.all[0], LOCKFAST_READONLY) == -1 && errno == ENOMEM, "absent");
        promised(traps_on_read(secrets.all[0]), "a trap");
        for (void* const each : secrets.all) lockfast_free(each);
        const herd own(5);
        own.open_each();
      });
      secrets.open_each();
    }));
  }
}

TEST_CASE("threads seal and open secrets of their own, while others fork and allocate, and each finds its own") {
  check_clean(in_child([] {
    alarm(patience(120));
    prove(become_user(std::size_t{256} << 10), "an ordinary user under the limit");
    options("fork=inherit");
    std::atomic<bool> stop = false;
    std::vector<std::thread> team;
    for (unsigned one = 0; one < 4; ++one) {
      team.emplace_back([&] {
        while (!stop) {
          const herd own(40);
          own.open_each();
          for (void* const each : own.all) lockfast_free(each);
        }
      });
    }
    const herd mine(30);
    for (int round = 0; round < 20; ++round) {
      forked([&] { mine.open_each(); });
      mine.open_each();
    }
    stop = true;
    for (std::thread& each : team) each.join();
    promised(lockfast_audit() == 0, "none is damaged");
  }));
}

TEST_CASE("what was sealed when everything is wiped opens as zeros") {
  check_clean(in_child([] {
    options("rest=seal,crash=wipe");
    const herd secrets(10);
    lockfast_wipe_all();
    for (void* const each : secrets.all) {
      promised(lockfast_protect(each, LOCKFAST_READONLY) == 0, "opened");
      for (std::size_t at = 0; at < size; ++at) promised(static_cast<char*>(each)[at] == 0, "zeros");
    }
  }));
}
