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
