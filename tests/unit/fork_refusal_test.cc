// fork_refusal_test.cc - forks at which a call to the system is refused, and how few calls closed secrets take, over the simulated host.
//
// Each test runs in a child, whose pools start afresh; that forks again.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstring>
#include <string>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/child.h"
#include "unit/forked.h"

namespace simulated = lockfast::simulated;

namespace {

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
    const std::vector<unsigned char*> all = closed_secrets_to_inherit();
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
    const std::vector<unsigned char*> all = closed_secrets_to_inherit();
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
              promised(!simulated::readable(one.secret), "nothing of an absent one can be read");
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

// The secret is closed, or may only be read. Unless it was sealed for the child, the child opens it, writes new canaries, and changes its
// access back.
TEST_CASE("whichever call is refused at a fork, a secret in pages of its own is whole in the child, under its access, or absent") {
  struct kind {
    bool has_markers;
    lockfast_rest_policy rest;
  };
  for (const kind of : {kind{false, LOCKFAST_REST_KEEP}, kind{true, LOCKFAST_REST_KEEP}, kind{false, LOCKFAST_REST_AUTO},
                        kind{true, LOCKFAST_REST_AUTO}}) {
    CAPTURE(of.has_markers);
    CAPTURE(of.rest);
    const ending end = in_child([&] {
      simulated::reset();
      simulated::set_guard_markers(of.has_markers);
      if (of.has_markers) simulated::set_map_limit(100);
      lockfast_options chosen = {};
      chosen.fork = LOCKFAST_FORK_INHERIT;
      chosen.rest = of.rest;
      prove(lockfast_configure(&chosen) == 0, "the options");
      const lockfast_access accesses[] = {LOCKFAST_NOACCESS, LOCKFAST_READONLY, LOCKFAST_NOACCESS, LOCKFAST_READONLY};
      std::vector<held> all;
      for (const lockfast_access access : accesses) {
        all.push_back({static_cast<unsigned char*>(lockfast_malloc_isolated(32)), 32});
        prove(all.back().secret != nullptr, "a secret");
        std::memset(all.back().secret, 'x', 32);
        prove(lockfast_protect(all.back().secret, access) == 0, "closed, or read only");
      }
      prove((simulated::bytes_marked() != 0) == of.has_markers, "between markers, or not");
      for (std::size_t nth = 1;; ++nth) {
        const int status = fork_refusing(nth, [&](bool was_refused) {
          std::size_t absent = 0;
          for (std::size_t at = 0; at < all.size(); ++at) {
            lockfast_receipt receipt;
            if (lockfast_describe(all[at].secret, &receipt) != 0) {
              ++absent;
              promised(!simulated::readable(all[at].secret), "nothing of an absent one can be read");
              continue;
            }
            promised(receipt.access == accesses[at], "the access that it had");
            promised(lockfast_protect(all[at].secret, LOCKFAST_READWRITE) == 0 && filled(all[at], 'x'), "whole");
          }
          promised(absent <= (was_refused ? 1 : 0), "absent for a cause, and alone");
          promised(lockfast_audit() == 0, "no damage");
        });
        promised(WIFEXITED(status) && (WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == not_refused),
                 "what the child was promised");
        if (WEXITSTATUS(status) == not_refused) break;
        promised(nth < 100, "no more calls than that");
      }
    });
    CAPTURE(end.text);
    CHECK(end.clean());
  }
}
