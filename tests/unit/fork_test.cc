// fork_test.cc - what a forked child finds on a system that copies everything into it, over the simulated host.
//
// Each test runs in a child, whose pools start afresh; that forks again.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/child.h"

namespace simulated = lockfast::simulated;

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

}  // namespace

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

TEST_CASE("whichever call is refused at a fork, the child has each closed secret whole, and so has the parent") {
  const ending end = in_child([] {
    constexpr int not_refused = 3;
    simulated::reset();
    lockfast_options chosen = {};
    chosen.fork = LOCKFAST_FORK_INHERIT;
    chosen.rest = LOCKFAST_REST_AUTO;
    prove(lockfast_configure(&chosen) == 0, "the policy");
    const std::vector<unsigned char*> all = closed_secrets();
    std::size_t refused = 0;
    for (std::size_t nth = 1;; ++nth) {
      simulated::refuse_nth(nth);
      const pid_t child = fork();
      prove(child >= 0, "a fork");
      const bool was_refused = simulated::refused();
      simulated::refuse_nth(0);
      if (child == 0) {
        check_each(all);
        _exit(was_refused ? 0 : not_refused);
      }
      int status = 0;
      prove(waitpid(child, &status, 0) == child, "the child's end");
      promised(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == not_refused), "what the child was promised");
      check_each(all);
      if (WEXITSTATUS(status) == not_refused) break;
      ++refused;
    }
    promised(refused > closed_count, "a call for each, and more");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
