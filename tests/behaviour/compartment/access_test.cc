// access_test.cc - whose access it is: a thread's own where the processor has keys for it, else the widest that any
// thread holds. What is tested here holds on both.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <atomic>
#include <cstring>
#include <thread>
#include <vector>

#include "behaviour/compartment/compartment.h"

namespace {

// Whether this processor gives access by thread: a thread that closed a compartment cannot read what another has open.
bool by_thread() {
  compartment* const keys = new_compartment();
  char* const secret = secret_in(keys, 32);
  bool closed = false;
  performer other;
  other([&] {
    open_to(keys, LOCKFAST_NOACCESS);
    closed = !readable_here(secret);
  });
  promised(has(secret, LOCKFAST_READWRITE), "what this thread holds, whatever the other does");
  lockfast_compartment_destroy(keys);
  return closed;
}

// Runs a body in a child whose processor may have keys, and in one where every key is taken: then pages are opened and closed.
template <class Body>
void check_on_both(Body body) {
  for (const bool keys_left : {true, false}) {
    CAPTURE(keys_left);
    check_clean(in_child([&] {
      for (int count = 0; count < 16 && !keys_left; ++count) (void)new_compartment();
      prove(keys_left || !by_thread(), "no key left");
      body();
    }));
  }
}

// What a thread that holds `own` finds while another holds `others`.
lockfast_access seen(bool by_thread, lockfast_access own, lockfast_access others) {
  return by_thread ? own : std::max(own, others);
}

constexpr lockfast_access accesses[] = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_READWRITE};

}  // namespace

TEST_CASE("two threads each have what they asked for, or what the other has where that is more") {
  check_on_both([] {
    const bool alone = by_thread();
    compartment* const keys = new_compartment();
    for (const std::size_t size : {32U, 100000U}) {
      char* const secret = secret_in(keys, size);
      performer other;
      for (const lockfast_access mine : accesses) {
        for (const lockfast_access its : accesses) {
          open_to(keys, mine);
          other([&] { open_to(keys, its); });
          promised(has(secret, seen(alone, mine, its)), "this thread's");
          other([&] { promised(has(secret, seen(alone, its, mine)), "the other's"); });
        }
      }
      // Closed by both, closed for all.
      other([&] { open_to(keys, LOCKFAST_NOACCESS); });
      open_to(keys, LOCKFAST_NOACCESS);
      promised(has(secret, LOCKFAST_NOACCESS), "closed");
      other([&] { promised(has(secret, LOCKFAST_NOACCESS), "closed"); });
      std::thread([&] { promised(has(secret, LOCKFAST_NOACCESS), "closed to a thread that begins now"); }).join();
      open_to(keys, LOCKFAST_READWRITE);
    }
    lockfast_compartment_destroy(keys);
  });
}

TEST_CASE("a thread that asks twice gives up once, and one that ends gives up what it held open") {
  check_on_both([] {
    compartment* const keys = new_compartment();
    char* const secret = secret_in(keys, 32);
    open_to(keys, LOCKFAST_NOACCESS);
    for (const lockfast_access held : {LOCKFAST_READONLY, LOCKFAST_READWRITE}) {
      {
        performer one, two;
        one([&] {
          open_to(keys, held);
          open_to(keys, LOCKFAST_READWRITE);
          open_to(keys, held);
          open_to(keys, held);
          promised(has(secret, held), "open");
        });
        two([&] { open_to(keys, LOCKFAST_READONLY); });
        one([&] { open_to(keys, LOCKFAST_NOACCESS); });
        two([&] { promised(has(secret, LOCKFAST_READONLY), "open to read, since it alone holds it"); });
        one([&] { open_to(keys, held); });
      }
      promised(has(secret, LOCKFAST_NOACCESS), "closed once both have ended");
      std::thread([&] { promised(has(secret, LOCKFAST_NOACCESS), "closed to a new thread"); }).join();
    }
    for (int count = 0; count < 500; ++count) std::thread([&] { open_to(keys, LOCKFAST_READWRITE); }).join();
    promised(has(secret, LOCKFAST_NOACCESS), "closed after five hundred threads");
    open_to(keys, LOCKFAST_READWRITE);
    promised(filled(secret, 32, 'x') && has(secret, LOCKFAST_READWRITE), "open, and whole");
    lockfast_compartment_destroy(keys);
  });
}

TEST_CASE("a creator that ends gives up what it held, and the compartment lives on") {
  check_on_both([] {
    compartment* keys = nullptr;
    char* secret = nullptr;
    performer witness;  // not a child of the creator's
    std::thread([&] {
      keys = new_compartment();
      secret = secret_in(keys, 32);
      promised(has(secret, LOCKFAST_READWRITE), "open to its creator");
    }).join();
    promised(has(secret, LOCKFAST_NOACCESS), "closed");
    witness([&] { promised(has(secret, LOCKFAST_NOACCESS), "closed"); });
    open_to(keys, LOCKFAST_READONLY);
    promised(filled(secret, 32, 'x'), "its bytes");
    witness([&] { lockfast_free(secret); });
    lockfast_compartment_destroy(keys);
    promised(statistics().live == 0, "none is live");
  });
}

TEST_CASE("what a thread had open of a destroyed compartment, and closed, opens none of those that come after it") {
  check_on_both([] {
    performer other;
    performer bystander;  // never opens any
    for (int round = 0; round < 40; ++round) {
      compartment* const earlier = new_compartment();
      (void)secret_in(earlier, 32);
      other([&] {
        open_to(earlier, LOCKFAST_READWRITE);
        open_to(earlier, LOCKFAST_NOACCESS);
      });
      lockfast_compartment_destroy(earlier);
      // As many as it takes to be given whatever the earlier one had.
      std::vector<compartment*> later;
      for (int count = 0; count < 20; ++count) {
        later.push_back(new_compartment());
        char* const secret = secret_in(later.back(), 32);
        promised(has(secret, LOCKFAST_READWRITE), "open to its creator");
        open_to(later.back(), LOCKFAST_NOACCESS);
        promised(has(secret, LOCKFAST_NOACCESS), "closed to its creator");
        other([&] { promised(has(secret, LOCKFAST_NOACCESS), "closed to who had the earlier one open"); });
        bystander([&] { promised(has(secret, LOCKFAST_NOACCESS), "closed to who had none"); });
      }
      for (compartment* const one : later) lockfast_compartment_destroy(one);
    }
  });
}

TEST_CASE("without keys, what a thread still had open of a destroyed compartment opens none of those that come after it") {
  for (const bool ends_before : {true, false}) {
    CAPTURE(ends_before);
    check_clean(in_child([&] {
      for (int count = 0; count < 16; ++count) (void)new_compartment();
      prove(!by_thread(), "no key left");
      compartment* const earlier = new_compartment();
      auto* const other = new performer;
      (*other)([&] { open_to(earlier, LOCKFAST_READWRITE); });
      lockfast_compartment_destroy(earlier);
      if (ends_before) delete other;
      compartment* const later = new_compartment();
      char* const secret = secret_in(later, 32);
      promised(has(secret, LOCKFAST_READWRITE), "open to its creator");
      open_to(later, LOCKFAST_NOACCESS);
      promised(has(secret, LOCKFAST_NOACCESS), "closed");
      if (!ends_before) delete other;
      promised(has(secret, LOCKFAST_NOACCESS), "closed when the thread has ended");
      open_to(later, LOCKFAST_READONLY);
      promised(has(secret, LOCKFAST_READONLY), "as open as it was asked to be");
      lockfast_compartment_destroy(later);
    }));
  }
}

TEST_CASE("a creator that destroys an open compartment, or a closed one, finds the next as it should be") {
  check_on_both([] {
    for (const lockfast_access last : accesses) {
      for (int round = 0; round < 40; ++round) {
        compartment* const keys = new_compartment();
        char* const secret = secret_in(keys, 32);
        promised(has(secret, LOCKFAST_READWRITE), "open for reading and writing");
        open_to(keys, last);
        lockfast_compartment_destroy(keys);
      }
    }
  });
}

TEST_CASE("a thread that did not open a compartment allocates, checks, reallocates and frees in it all the same") {
  check_on_both([] {
    compartment* const keys = new_compartment();
    char* const mine = secret_in(keys, 100);
    open_to(keys, LOCKFAST_NOACCESS);
    performer other;
    other([&] {
      auto* const secret = static_cast<char*>(lockfast_compartment_malloc(keys, 64));
      promised(secret != nullptr && has(secret, LOCKFAST_NOACCESS), "malloc");
      promised(lockfast_check(secret) == 0 && lockfast_check(mine) == 0 && lockfast_audit() == 0, "check and audit");
      auto* const moved = static_cast<char*>(lockfast_realloc(secret, 5000));
      promised(moved != nullptr && has(moved, LOCKFAST_NOACCESS), "realloc");
      lockfast_free(moved);
      lockfast_free(mine);
    });
    promised(statistics().live == 0, "none is live");
    lockfast_compartment_destroy(keys);
  });
}

TEST_CASE("calls of one thread do not close what another is using") {
  check_on_both([] {
    compartment* const keys = new_compartment();
    char* const mine = secret_in(keys, 4000);
    const volatile char* const reading = mine;
    std::atomic<bool> done = false;
    std::vector<std::thread> others;
    for (int count = 0; count < 3; ++count) {
      others.emplace_back([&, count] {
        for (int round = 0; round < 400; ++round) {
          if (count > 0) open_to(keys, round % 2 == 0 ? LOCKFAST_READWRITE : LOCKFAST_READONLY);
          auto* secret = static_cast<char*>(lockfast_compartment_malloc(keys, 16 + static_cast<std::size_t>(round)));
          promised(secret != nullptr, "a secret");
          if (count > 0) {
            open_to(keys, LOCKFAST_READWRITE);
            std::memset(secret, count, 16);
          }
          promised(lockfast_check(secret) == 0, "whole canaries");
          secret = static_cast<char*>(lockfast_realloc(secret, 600));
          promised(secret != nullptr, "a larger secret");
          if (count > 0) open_to(keys, LOCKFAST_NOACCESS);
          lockfast_free(secret);
          if (round % 50 == 0) (void)lockfast_audit();
          if (round % 50 == 25) (void)lockfast_trim();
        }
      });
    }
    std::thread ended([&] {
      for (std::thread& one : others) one.join();
      done = true;
    });
    while (!done) {
      for (std::size_t at = 0; at < 4000; at += 100) promised(reading[at] == 'x', "this thread's bytes");
    }
    ended.join();
    promised(filled(mine, 4000, 'x') && has(mine, LOCKFAST_READWRITE), "this thread's access");
    lockfast_compartment_destroy(keys);
    promised(statistics().live == 0, "none is live");
  });
}

TEST_CASE("threads that make, use and destroy compartments of their own do not disturb each other") {
  check_on_both([] {
    std::vector<std::thread> threads;
    for (int number = 0; number < 4; ++number) {
      threads.emplace_back([number] {
        for (int round = 0; round < 300; ++round) {
          compartment* const keys = new_compartment();
          char* const secret = secret_in(keys, 32 + static_cast<std::size_t>(round));
          std::memset(secret, number + 1, 32);
          open_to(keys, LOCKFAST_NOACCESS);
          promised(!readable_here(secret), "closed");
          open_to(keys, LOCKFAST_READONLY);
          promised(filled(secret, 32, static_cast<unsigned char>(number + 1)), "its bytes");
          if (round % 2 == 0) lockfast_free(secret);
          lockfast_compartment_destroy(keys);
        }
      });
    }
    for (std::thread& one : threads) one.join();
    promised(statistics().live == 0, "none is live");
    (void)lockfast_trim();
    promised(statistics().bytes_locked == 0, "nothing is locked for nothing");
  });
}

TEST_CASE("a trim does not open another thread's closed compartment that has nothing to give back") {
  check_on_both([] {
    compartment* const keys = new_compartment();
    char* const secret = secret_in(keys, 32);
    open_to(keys, LOCKFAST_NOACCESS);
    std::atomic<bool> stop = false;
    std::thread trimming([&] {
      while (!stop) (void)lockfast_trim();
    });
    for (int round = 0; round < 20000; ++round) promised(!readable_here(secret), "closed");
    stop = true;
    trimming.join();
    open_to(keys, LOCKFAST_READONLY);
    promised(filled(secret, 32, 'x'), "its bytes");
    lockfast_compartment_destroy(keys);
  });
}

TEST_CASE("a signal handler that returns leaves the interrupted thread's access as it was") {
  check_on_both([] {
    static compartment* keys = nullptr;
    static char* secret = nullptr;
    static std::atomic<int> calls = 0;
    keys = new_compartment();
    secret = secret_in(keys, 32);
    prove(std::signal(SIGTERM, [](int) { ++calls; }) != SIG_ERR, "a handler");
    (void)raise(SIGTERM);
    promised(calls == 1 && has(secret, LOCKFAST_READWRITE) && filled(secret, 32, 'x'), "open still");
    lockfast_compartment_destroy(keys);
  });
}
