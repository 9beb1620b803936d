// rest_threads_test.cc - secrets that are closed or moved while another thread, or a child, does something that concerns them all:
// wipes, trims, seals.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "behaviour/forked.h"
#include "support/check.h"
#include "support/child.h"
#include "support/patience.h"
#include "support/sanitized.h"
#include "support/unlocked_memory.h"

namespace {

constexpr std::size_t size = 64;

void options(const std::string& text) { prove(set_variable("LOCKFAST_OPTIONS", text.c_str()), "the variable"); }

unsigned char* secret_of(int value) {
  auto* const made = static_cast<unsigned char*>(lockfast_malloc_isolated(size));
  prove(made != nullptr, "a secret");
  std::memset(made, value, size);
  return made;
}

bool all_are(const unsigned char* secret, int value) {
  return std::all_of(secret, secret + size, [=](unsigned char each) { return each == value; });
}

bool can_lock() {
  void* const page = mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return page != MAP_FAILED && mlock(page, 4096) == 0;
}

constexpr const char* backings[] = {"", ",hidden=off"};

}  // namespace

TEST_CASE("no secret outlives lockfast_wipe_all because another thread was closing it") {
  if (under_tsan) {
    MESSAGE("skipped: a wipe overwrites keys that others read, and tells them afterwards");
    return;
  }
  for (const char* const backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      alarm(patience(120));
      options(std::string("rest=seal") + backing);
      for (int round = 0; round < 30; ++round) {
        std::vector<unsigned char*> secrets(100);
        for (unsigned char*& each : secrets) each = secret_of('s');
        std::atomic<bool> begun = false;
        std::thread closer([&] {
          begun = true;
          // The other way round than they are wiped.
          for (std::size_t left = secrets.size(); left-- > 0;) {
            promised(lockfast_protect(secrets[left], LOCKFAST_NOACCESS) == 0, "closed");
          }
        });
        while (!begun) std::this_thread::yield();
        std::this_thread::sleep_for(std::chrono::microseconds(round * 60));
        lockfast_wipe_all();
        closer.join();
        for (unsigned char* const each : secrets) {
          prove(lockfast_protect(each, LOCKFAST_READONLY) == 0, "opened");
          promised(all_are(each, 0), "zeros");
          lockfast_free(each);
        }
        // What is closed from then on is sealed, and whole.
        unsigned char* const next = secret_of('n');
        prove(lockfast_protect(next, LOCKFAST_NOACCESS) == 0, "closed");
        prove(lockfast_protect(next, LOCKFAST_READONLY) == 0, "opened");
        promised(all_are(next, 'n'), "whole");
        lockfast_free(next);
        (void)lockfast_trim();
      }
    }));
  }
}

TEST_CASE("no secret outlives lockfast_wipe_all because another thread was moving it, and no canary breaks") {
  if (under_tsan) {
    MESSAGE("skipped: a wipe overwrites what others read");
    return;
  }
  for (const char* const backing : backings) {
    for (const std::size_t most : {std::size_t{2000}, std::size_t{9000}}) {
      CAPTURE(backing);
      CAPTURE(most);
      check_clean(in_child([&] {
        alarm(patience(120));
        options(std::string("rest=keep") + backing);
        const bool isolates = most > 4096;
        for (int round = 0; round < 60; ++round) {
          std::vector<void*> secrets(64);
          for (void*& each : secrets) {
            each = isolates ? lockfast_malloc_isolated(size) : lockfast_malloc(size);
            prove(each != nullptr, "a secret");
            std::memset(each, 's', size);
          }
          std::atomic<bool> begun = false;
          std::atomic<bool> stop = false;
          std::thread mover([&] {
            std::minstd_rand random(static_cast<unsigned>(round));
            for (begun = true; !stop;) {
              void*& each = secrets[random() % secrets.size()];
              if (void* const moved = lockfast_realloc(each, size + random() % most); moved != nullptr) each = moved;
            }
          });
          while (!begun) std::this_thread::yield();
          std::this_thread::sleep_for(std::chrono::microseconds(200 + round * 10));
          lockfast_wipe_all();
          stop = true;
          mover.join();
          for (void* const each : secrets) {
            promised(all_are(static_cast<unsigned char*>(each), 0), "zeros");
            lockfast_free(each);
          }
        }
      }));
    }
  }
}

TEST_CASE("a closed secret is moved whole by a realloc while another thread seals closed secrets") {
  for (const char* const backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      alarm(patience(120));
      options(std::string("rest=auto") + backing);
      std::atomic<bool> stop = false;
      std::thread sealer([&] {
        while (!stop) (void)lockfast_trim();
      });
      unsigned char* secret = secret_of('s');
      prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
      for (int round = 0; round < 20000; ++round) {
        auto* const moved = static_cast<unsigned char*>(lockfast_realloc(secret, size));
        if (moved != nullptr) secret = moved;
      }
      stop = true;
      sealer.join();
      prove(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened");
      promised(all_are(secret, 's'), "whole");
    }));
  }
}

TEST_CASE("a trim ends while other threads go on closing secrets") {
  check_clean(in_child([] {
    alarm(patience(120));
    options("rest=auto");
    constexpr std::size_t thread_count = 4;
    constexpr std::size_t count = 50;  // of each
    std::atomic<std::size_t> begun = 0;
    std::atomic<bool> stop = false;
    std::vector<std::thread> threads;
    for (std::size_t each = 0; each < thread_count; ++each) {
      threads.emplace_back([&] {
        std::vector<unsigned char*> secrets(count);
        for (unsigned char*& one : secrets) one = secret_of('s');
        for (++begun; !stop;) {
          for (unsigned char* const one : secrets) {
            prove(lockfast_protect(one, LOCKFAST_NOACCESS) == 0, "closed");
            prove(lockfast_protect(one, LOCKFAST_READWRITE) == 0, "opened");
            prove(lockfast_protect(one, LOCKFAST_NOACCESS) == 0, "closed again");
          }
        }
      });
    }
    while (begun < thread_count) std::this_thread::yield();
    const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    // Each at most once, and pages that are kept ready.
    for (int round = 0; round < 5; ++round) promised(lockfast_trim() <= 2 * thread_count * count * page, "no secret twice");
    stop = true;
    for (std::thread& one : threads) one.join();
  }));
}

TEST_CASE("a secret that is freed while it is sealed leaves a place that serves again or goes back") {
  for (const char* const freed : {"freed=trap", "freed=recycle"}) {
    for (const char* const backing : backings) {
      CAPTURE(freed);
      CAPTURE(backing);
      check_clean(in_child([&] {
        options(std::string("rest=seal,") + freed + backing);
        for (int round = 0; round < 2; ++round) {
          // More than rest in quarantine.
          std::vector<unsigned char*> secrets(100);
          for (unsigned char*& each : secrets) {
            each = secret_of('s');
            prove(lockfast_protect(each, LOCKFAST_NOACCESS) == 0, "closed");
          }
          for (unsigned char* const each : secrets) lockfast_free(each);
        }
        (void)lockfast_trim();
        struct lockfast_statistics now;
        lockfast_get_statistics(&now);
        promised(now.live == 0 && now.bytes_idle == 0, "all went back");
      }));
    }
  }
}

TEST_CASE("where a child cannot lock the key of sealed secrets, their receipts say so, and wiping everything destroys the key") {
  for (const char* const backing : backings) {
    CAPTURE(backing);
    check_clean(in_child([&] {
      prove(become_user(std::size_t{256} << 10), "an ordinary user under the limit");
      options(std::string("fork=inherit,lock=preferred,rest=seal") + backing);
      unsigned char* const secret = secret_of('s');
      prove(lockfast_protect(secret, LOCKFAST_NOACCESS) == 0, "closed");
      const rlimit none = {0, 0};
      prove(setrlimit(RLIMIT_MEMLOCK, &none) == 0, "no locks from now on");
      forked([&] {
        if (can_lock()) return;  // under an emulator
        lockfast_receipt receipt = {};
        promised(lockfast_describe(secret, &receipt) == 0 && receipt.rest == LOCKFAST_SEALED, "sealed");
        promised((receipt.backing == LOCKFAST_UNLOCKED) == (receipt.lock_error != 0), "a receipt of one mind");
        if (*backing != '\0') promised(receipt.backing == LOCKFAST_UNLOCKED, "as well kept as its key");
        struct lockfast_statistics now;
        lockfast_get_statistics(&now);
        promised(now.live_unlocked == (receipt.lock_error != 0 ? 1U : 0U), "the statistics agree");
        lockfast_wipe_all();
        prove(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "opened");
        promised(all_are(secret, 0), "zeros");
      });
      prove(lockfast_protect(secret, LOCKFAST_READONLY) == 0, "the parent's opened");
      promised(all_are(secret, 's'), "the parent's is whole");
    }));
  }
}
