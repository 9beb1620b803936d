// fork_test.cc - what a forked child finds on a system that copies everything into it, over the simulated host.
//
// Each test runs in a child, whose pools start afresh; that forks again.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <vector>

#include "allocator/base/random.h"
#include "allocator/isolated/span_region.h"
#include "allocator/pages/fork_gate.h"
#include "allocator/pages/lock_watch.h"
#include "platform/simulated/simulated.h"
#include "support/child.h"
#include "support/hex.h"
#include "unit/forked.h"

namespace simulated = lockfast::simulated;
using lockfast::internal::fork_gate;
using lockfast::internal::lock_watch;
using lockfast::internal::span;
using lockfast::internal::span_region;

namespace {

// Called behind the allocator's own part of a fork's preparation, since it is registered before that: what another thread may do then.
void (*in_fork)() = nullptr;
void call_in_fork() {
  if (in_fork != nullptr) in_fork();
}
// Priorities up to 100 are the implementation's; the allocator has 101.
#pragma GCC diagnostic push
#if !defined(__clang__)
#pragma GCC diagnostic ignored "-Wprio-ctor-dtor"
#endif
[[gnu::constructor(100)]] void before_the_allocator() { (void)pthread_atfork(call_in_fork, nullptr, nullptr); }
#pragma GCC diagnostic pop

std::string drawn() {
  std::array<std::byte, 32> bytes;
  lockfast::internal::draw_random(bytes);
  return to_hex(bytes);
}

}  // namespace

TEST_CASE("where the system gives no more random bytes, none are drawn twice, in this process or in a child of it") {
  const ending end = in_child([] {
    prove(lockfast::internal::keep_seed() == 0, "a seed");
    simulated::set_generator(false);
    const std::string before = drawn();
    const ending child = in_child([] { say(drawn().c_str()); });
    const ending sibling = in_child([] { say(drawn().c_str()); });
    const std::string after = drawn();
    prove(child.text.size() == after.size() && sibling.text.size() == after.size(), "what the children drew");
    promised(before != after, "one after the other");
    promised(child.text != after && sibling.text != after && child.text != sibling.text, "a child draws bytes of its own");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("under fork=wipe a child wipes its copies where the system has no zeros for it, and the receipt says so") {
  const ending end = in_child([] {
    simulated::reset();
    simulated::set_fork_error(ENOTSUP);
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_WIPE;
    prove(lockfast_configure(&chosen) == 0, "the policy");
    const std::vector<held> all = secrets_of_every_kind();
    for (const held& one : all) {
      lockfast_receipt receipt = {};
      promised(lockfast_describe(one.secret, &receipt) == 0 && receipt.fork_error == ENOTSUP, "an honest receipt");
    }
    const pid_t child = fork();
    prove(child >= 0, "a fork");
    if (child == 0) {
      for (const held& one : all) promised(filled(one, 0), "zeros");
      promised(lockfast_audit() == 0, "whole canaries around them");
      for (const held& one : all) lockfast_free(one.secret);
      _exit(0);
    }
    int status = 0;
    prove(waitpid(child, &status, 0) == child, "the child's end");
    promised(WIFEXITED(status) && WEXITSTATUS(status) == 0, "what the child was promised");
    for (const held& one : all) promised(filled(one, 'x'), "the parent's own");
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("a child has what was written last to a locked secret, not what was sealed for it before that") {
  const ending end = in_child([] {
    static std::vector<unsigned char*> all;
    all = closed_secrets_to_inherit();
    in_fork = [] {
      prove(lockfast_protect(all[0], LOCKFAST_READWRITE) == 0 && lockfast_protect(all[1], LOCKFAST_READWRITE) == 0, "opened");
      std::memset(all[0], 'n', 32);
      std::memset(all[1], 'n', 32);
      prove(lockfast_protect(all[0], LOCKFAST_NOACCESS) == 0, "closed again");
      lockfast_free(all[2]);
      in_fork = nullptr;
    };
    in_forked([&] {
      promised(filled({all[1], 32}, 'n'), "what is open still");
      promised(lockfast_protect(all[0], LOCKFAST_READONLY) == 0 && filled({all[0], 32}, 'n'), "what was closed again");
      promised(lockfast_check(all[0]) == 0 && lockfast_check(all[1]) == 0, "whole canaries");
      promised(lockfast_size(all[2]) == 0, "what was freed");
      promised(lockfast_protect(all[3], LOCKFAST_READONLY) == 0 && filled({all[3], 32}, 3), "the others");
    });
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("a copy for a child that cannot be hidden is locked while it is there, and wiped before it is unlocked") {
  const ending end = in_child([] {
    const std::vector<held> all = hidden_without_room_for_a_copy();
    const std::size_t locks = simulated::count(simulated::call::lock);
    const std::size_t unlocks = simulated::count(simulated::call::unlock);
    // The simulated host ends the process where what is unlocked is not wiped.
    in_forked([&] {
      for (const held& one : all) promised(filled(one, 'x'), "the copy");
    });
    promised(simulated::count(simulated::call::lock) > locks, "a lock for the copy");
    promised(simulated::count(simulated::call::unlock) > unlocks, "which ends with it");
    for (const held& one : all) promised(filled(one, 'x'), "the parent's own");
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("what is wiped while a fork is under way is wiped in the child, too, and its canaries and records are whole") {
  const ending end = in_child([] {
    const std::vector<held> all = hidden_without_room_for_a_copy();
    // Sealed, under a key in hidden memory.
    auto* const closed = static_cast<unsigned char*>(lockfast_malloc_isolated(32));
    prove(closed != nullptr, "one more");
    std::memset(closed, 'x', 32);
    simulated::set_hidden_limit(SIZE_MAX);
    prove(lockfast_protect(closed, LOCKFAST_NOACCESS) == 0, "a closed secret");
    simulated::set_hidden_limit(simulated::bytes_hidden());
    in_fork = lockfast_wipe_all;
    in_forked([&] {
      in_fork = nullptr;
      for (const held& one : all) promised(filled(one, 0), "zeros");
      promised(lockfast_protect(closed, LOCKFAST_READWRITE) == 0 && filled({closed, 32}, 0), "zeros for what was sealed");
      closed[0] = 'y';
      promised(lockfast_protect(closed, LOCKFAST_NOACCESS) == 0, "sealed again");
      promised(lockfast_protect(closed, LOCKFAST_READONLY) == 0 && closed[0] == 'y', "and opened");
      promised(lockfast_audit() == 0, "whole");
      for (const held& one : all) lockfast_free(one.secret);
    });
    for (const held& one : all) promised(filled(one, 0), "wiped in the parent");
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("a secret that came into another's place after the copy for a child is zeros there, and has canaries of its own") {
  static unsigned char* place;
  const ending end = in_child([] {
    simulated::set_hidden_limit(SIZE_MAX);
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_INHERIT;
    prove(lockfast_configure(&chosen) == 0, "the options");
    std::array<void*, 64> places_to_come;
    for (void*& each : places_to_come) prove((each = lockfast_malloc_isolated(32)) != nullptr, "a secret");
    place = static_cast<unsigned char*>(lockfast_malloc_isolated(32));
    prove(place != nullptr, "one more");
    std::memset(place, 'x', 32);
    for (void* const each : places_to_come) lockfast_free(each);
    simulated::set_hidden_limit(simulated::bytes_hidden());
    // Until a secret has that place again.
    in_fork = [] {
      lockfast_free(place);
      void* made = lockfast_malloc_isolated(32);
      for (int tries = 0; tries < 10'000 && made != place; ++tries) {
        lockfast_free(made);
        made = lockfast_malloc_isolated(32);
      }
      prove(made == place, "the place");
      std::memset(place, 'y', 32);
    };
    in_forked([] {
      in_fork = nullptr;
      promised(filled({place, 32}, 0), "neither the bytes of the secret before it nor its own");
      promised(lockfast_check(place) == 0, "whole");
      lockfast_free(place);
    });
    promised(filled({place, 32}, 'y') && lockfast_check(place) == 0, "the parent's own");
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("a child watches no page of its parent's for its lock") {
  const ending end = in_child([] {
    lockfast_options chosen = {};
    chosen.hidden = LOCKFAST_HIDDEN_OFF;
    prove(lockfast_configure(&chosen) == 0, "the options");
    prove(lockfast_malloc_isolated(32) != nullptr && !lock_watch::sees_none(), "a page that is watched");
    in_forked([] { promised(lock_watch::sees_none() && !lock_watch::lost(), "none, and none is lost"); });
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("what a thread was taking out when another forked is wiped in the child before its page goes") {
  const ending end = in_child([] {
    simulated::set_guard_markers(true);
    simulated::set_map_limit(100);
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_INHERIT;
    prove(lockfast_configure(&chosen) == 0, "the options");
    const held one = {static_cast<unsigned char*>(lockfast_malloc_isolated(32)), 32};
    const held other = {static_cast<unsigned char*>(lockfast_malloc_isolated(32)), 32};
    prove(one.secret != nullptr && other.secret != nullptr && simulated::bytes_marked() != 0, "secrets between markers");
    for (const held& each : {one, other}) std::memset(each.secret, 'x', each.size);
    // As between the verdict on its canary and the wipe.
    span& at = *span_region::find_secret(reinterpret_cast<std::byte*>(one.secret)).at;
    at.set(span::state::busy);
    at.leave();
    // The simulated host ends the process where a marker is put on what is not wiped.
    in_forked([&] {
      promised(filled(one, 0) && lockfast_size(one.secret) == 0, "wiped, and no secret any more");
      promised(filled(other, 'x') && lockfast_check(other.secret) == 0, "the other one is whole");
    });
    promised(filled(one, 'x'), "the parent's is the thread's to wipe");
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("what a child closes keeps its pages as long as none are short, whatever the parent closed before") {
  for (const lockfast_fork policy : {LOCKFAST_FORK_INHERIT, LOCKFAST_FORK_WIPE, LOCKFAST_FORK_ABSENT}) {
    for (const std::size_t hidden : {std::size_t{0}, SIZE_MAX}) {
      CAPTURE(policy);
      CAPTURE(hidden);
      const ending end = in_child([&] {
        simulated::set_hidden_limit(hidden);
        lockfast_options chosen = {};
        chosen.fork = policy;
        prove(lockfast_configure(&chosen) == 0, "the options");
        const auto closes = [] {
          void* const made = lockfast_malloc_isolated(32);
          lockfast_receipt receipt;
          return made != nullptr && lockfast_protect(made, LOCKFAST_NOACCESS) == 0 && lockfast_describe(made, &receipt) == 0 &&
                 receipt.rest == LOCKFAST_CLOSED;
        };
        prove(closes(), "closed in the parent");
        in_forked([&] {
          for (int each = 0; each < 3; ++each) promised(closes(), "closed, and not sealed");
        });
      });
      CAPTURE(end.text);
      CHECK(end.clean());
    }
  }
}

TEST_CASE("nothing is sealed or opened between the preparation of a fork and its end") {
  const ending end = in_child([] {
    prove(lockfast_malloc_isolated(32) != nullptr, "a secret");
    in_fork = [] { promised(!fork_gate::try_enter(), "the gate is shut"); };
    in_forked([] { promised(fork_gate::try_enter(), "it is open in the child"); });
    promised(fork_gate::try_enter(), "and in the parent again");
  });
  CAPTURE(end.text);
  CAPTURE(end.signal);
  CHECK(end.clean());
}

TEST_CASE("a closed secret that another thread verifies when one forks is closed in the child") {
  for (const char* const policy : {"fork=inherit", "fork=inherit,rest=keep", "fork=wipe"}) {
    CAPTURE(policy);
    const ending end = in_child([&] {
      prove(set_variable("LOCKFAST_OPTIONS", policy), "the options");
      const held one = {static_cast<unsigned char*>(lockfast_malloc_isolated(32)), 32};
      prove(one.secret != nullptr, "a secret");
      std::memset(one.secret, 'x', one.size);
      prove(lockfast_protect(one.secret, LOCKFAST_NOACCESS) == 0, "closed");
      const std::size_t accessible = simulated::bytes_accessible();
      // As in the middle of a check.
      span& at = *span_region::find_secret(reinterpret_cast<std::byte*>(one.secret)).at;
      at.set(span::state::busy);
      prove(at.show() == 0, "readable");
      in_forked([&] {
        lockfast_receipt receipt;
        promised(lockfast_describe(one.secret, &receipt) == 0 && receipt.access == LOCKFAST_NOACCESS, "its receipt");
        promised(simulated::bytes_accessible() <= accessible, "its pages");
        promised(lockfast_protect(one.secret, LOCKFAST_READONLY) == 0, "it can be opened");
        promised(filled(one, std::strcmp(policy, "fork=wipe") == 0 ? 0 : 'x'), "and has what the child is to have");
        promised(lockfast_check(one.secret) == 0 && lockfast_protect(one.secret, LOCKFAST_NOACCESS) == 0, "and be closed");
      });
      prove(at.hide_again() == 0, "closed again");
      at.set(span::state::live);
      promised(simulated::bytes_accessible() == accessible, "in the parent, too");
    });
    CAPTURE(end.text);
    CAPTURE(end.signal);
    CHECK(end.clean());
  }
}
