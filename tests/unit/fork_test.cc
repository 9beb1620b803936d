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
#include <csignal>
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

namespace simulated = lockfast::simulated;
using lockfast::internal::fork_gate;
using lockfast::internal::lock_watch;
using lockfast::internal::span;
using lockfast::internal::span_region;

namespace {

constexpr std::size_t sizes[] = {1, 32, 100, 4000, 16384, 100000};

struct held {
  unsigned char* secret;
  std::size_t size;
};

bool filled(const held& one, unsigned char value) {
  for (std::size_t at = 0; at < one.size; ++at) {
    if (one.secret[at] != value) return false;
  }
  return true;
}

std::vector<held> secrets_of_every_kind() {
  std::vector<held> all;
  lockfast_compartment* const keys = lockfast_compartment_create();
  prove(keys != nullptr, "a compartment");
  for (const std::size_t size : sizes) {
    for (void* const made : {lockfast_malloc(size), lockfast_malloc_isolated(size), lockfast_compartment_malloc(keys, size)}) {
      prove(made != nullptr, "a secret");
      std::memset(made, 'x', size);
      all.push_back({static_cast<unsigned char*>(made), size});
    }
  }
  return all;
}

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

// Calls look() in a forked child; what it promises there is promised here.
template <class Look>
void in_forked(Look look) {
  const pid_t child = fork();
  prove(child >= 0, "a fork");
  if (child == 0) {
    look();
    _exit(0);
  }
  int status = 0;
  prove(waitpid(child, &status, 0) == child, "the child's end");
  promised(WIFEXITED(status) && WEXITSTATUS(status) == 0, "what the child was promised");
}

// Under fork=inherit, hidden where there is room; the copy for a child is then a plain one.
std::vector<held> hidden_without_room_for_a_copy() {
  simulated::set_hidden_limit(SIZE_MAX);
  lockfast_options chosen = {};
  chosen.fork = LOCKFAST_FORK_INHERIT;
  chosen.rest = LOCKFAST_REST_SEAL;
  prove(lockfast_configure(&chosen) == 0, "the options");
  std::vector<held> all = secrets_of_every_kind();
  simulated::set_hidden_limit(simulated::bytes_hidden());
  return all;
}

std::string drawn() {
  std::array<std::byte, 32> bytes;
  lockfast::internal::draw_random(bytes);
  return to_hex(bytes);
}

// Forks while the nth call is refused. The child does act(whether it was), and leaves with 0, or with not_refused where no call was
// left to refuse. Its status.
constexpr int not_refused = 3;
template <class Act>
int fork_refusing(std::size_t nth, Act act) {
  simulated::refuse_nth(nth);
  const pid_t child = fork();
  prove(child >= 0, "a fork");
  const bool was_refused = simulated::refused();
  simulated::refuse_nth(0);
  if (child == 0) {
    act(was_refused);
    _exit(was_refused ? 0 : not_refused);
  }
  int status = 0;
  prove(waitpid(child, &status, 0) == child, "the child's end");
  return status;
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

namespace {

constexpr std::size_t closed_count = 100;

std::vector<unsigned char*> closed_secrets() {
  std::vector<unsigned char*> all;
  for (std::size_t at = 0; at < closed_count; ++at) {
    all.push_back(static_cast<unsigned char*>(lockfast_malloc_isolated(32)));
    prove(all.back() != nullptr, "a secret");
    std::memset(all.back(), static_cast<int>(at), 32);
    prove(lockfast_protect(all.back(), LOCKFAST_NOACCESS) == 0, "closed");
  }
  return all;
}

void check_each(const std::vector<unsigned char*>& all) {
  for (std::size_t at = 0; at < all.size(); ++at) {
    promised(lockfast_protect(all[at], LOCKFAST_READWRITE) == 0, "it opens");
    promised(filled({all[at], 32}, static_cast<unsigned char>(at)) && lockfast_check(all[at]) == 0, "whole");
    promised(lockfast_protect(all[at], LOCKFAST_NOACCESS) == 0, "closed again");
  }
}

}  // namespace

TEST_CASE("a child locks no page for closed secrets until it opens one") {
  const ending end = in_child([] {
    simulated::reset();
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_INHERIT;
    chosen.rest = LOCKFAST_REST_AUTO;
    prove(lockfast_configure(&chosen) == 0, "the policy");
    const std::vector<unsigned char*> all = closed_secrets();
    const std::size_t locks = simulated::count(simulated::call::lock);
    const pid_t child = fork();
    prove(child >= 0, "a fork");
    if (child == 0) {
      // One is the key's, which is inherited.
      promised(simulated::count(simulated::call::lock) <= locks + 1, "no lock for each");
      promised(simulated::count(simulated::call::reserve_over) == 1, "one call gives all pages up");
      promised(simulated::bytes_locked() <= 2 * 4096, "nor pages");
      check_each(all);
      _exit(0);
    }
    int status = 0;
    prove(waitpid(child, &status, 0) == child, "the child's end");
    promised(WIFEXITED(status) && WEXITSTATUS(status) == 0, "what the child was promised");
    check_each(all);
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a child has what was written last to a locked secret, not what was sealed for it before that") {
  const ending end = in_child([] {
    simulated::reset();
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_INHERIT;
    chosen.rest = LOCKFAST_REST_AUTO;
    prove(lockfast_configure(&chosen) == 0, "the policy");
    static std::vector<unsigned char*> all;
    all = closed_secrets();
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

TEST_CASE("whichever call is refused at a fork, the child has each closed secret whole, and so has the parent") {
  const ending end = in_child([] {
    simulated::reset();
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_INHERIT;
    chosen.rest = LOCKFAST_REST_AUTO;
    prove(lockfast_configure(&chosen) == 0, "the policy");
    const std::vector<unsigned char*> all = closed_secrets();
    std::size_t refused = 0;
    for (std::size_t nth = 1;; ++nth) {
      const int status = fork_refusing(nth, [&](bool) { check_each(all); });
      promised(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == not_refused),
               "what the child was promised");
      check_each(all);
      if (WEXITSTATUS(status) == not_refused) break;
      ++refused;
    }
    promised(refused > closed_count, "a call for each, and more");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("whichever call is refused at a fork, each open secret is whole in the parent, and whole or absent in the child") {
  for (const bool hides : {false, true}) {
    CAPTURE(hides);
    const ending end = in_child([&] {
      std::vector<held> all;
      if (hides) {
        all = hidden_without_room_for_a_copy();
      } else {
        lockfast_options chosen = {};
        chosen.fork = LOCKFAST_FORK_INHERIT;
        prove(lockfast_configure(&chosen) == 0, "the options");
        all = secrets_of_every_kind();
      }
      for (std::size_t nth = 1;; ++nth) {
        const int status = fork_refusing(nth, [&](bool was_refused) {
          for (const held& one : all) {
            lockfast_receipt receipt;
            if (lockfast_describe(one.secret, &receipt) != 0) {
              promised(was_refused, "absent for a cause");
            } else {
              promised(receipt.access == LOCKFAST_READWRITE && filled(one, 'x'), "open and whole, as it was");
            }
          }
          promised(lockfast_audit() == 0, "no damage");
        });
        // What cannot be closed again ends the child with a line: "access refused".
        const bool was_ended = WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
        promised(was_ended || (WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == not_refused)),
                 "what the child was promised");
        for (const held& one : all) promised(filled(one, 'x'), "the parent's own");
        promised(lockfast_audit() == 0, "no damage");
        if (WIFEXITED(status) && WEXITSTATUS(status) == not_refused) break;
      }
    });
    CAPTURE(end.text);
    CHECK(end.clean());
    CHECK(end.text.find("simulated:") == std::string::npos);
  }
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
