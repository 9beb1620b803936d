// forked.h - secrets before a fork, and a forked child that looks at them. In a child of a test.
#ifndef LOCKFAST_TESTS_UNIT_FORKED_H
#define LOCKFAST_TESTS_UNIT_FORKED_H

#include <lockfast/lockfast.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>
#include <vector>

#include "platform/simulated/simulated.h"
#include "support/child.h"

inline constexpr std::size_t sizes[] = {1, 32, 100, 4000, 16384, 100000};

struct held {
  unsigned char* secret;
  std::size_t size;
};

inline bool filled(const held& one, unsigned char value) {
  for (std::size_t at = 0; at < one.size; ++at) {
    if (one.secret[at] != value) return false;
  }
  return true;
}

inline std::vector<held> secrets_of_every_kind() {
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

// Under fork=inherit, hidden where there is room; the copy for a child is then a plain one.
inline std::vector<held> hidden_without_room_for_a_copy() {
  lockfast::simulated::set_hidden_limit(SIZE_MAX);
  lockfast_options chosen = {};
  chosen.fork = LOCKFAST_FORK_INHERIT;
  chosen.rest = LOCKFAST_REST_SEAL;
  prove(lockfast_configure(&chosen) == 0, "the options");
  std::vector<held> all = secrets_of_every_kind();
  lockfast::simulated::set_hidden_limit(lockfast::simulated::bytes_hidden());
  return all;
}

inline constexpr std::size_t closed_count = 100;

// Under fork=inherit, closed and not sealed while there is room.
inline std::vector<unsigned char*> closed_secrets_to_inherit() {
  lockfast::simulated::reset();
  lockfast_options chosen = {};
  chosen.fork = LOCKFAST_FORK_INHERIT;
  chosen.rest = LOCKFAST_REST_AUTO;
  prove(lockfast_configure(&chosen) == 0, "the policy");
  std::vector<unsigned char*> all;
  for (std::size_t at = 0; at < closed_count; ++at) {
    all.push_back(static_cast<unsigned char*>(lockfast_malloc_isolated(32)));
    prove(all.back() != nullptr, "a secret");
    std::memset(all.back(), static_cast<int>(at), 32);
    prove(lockfast_protect(all.back(), LOCKFAST_NOACCESS) == 0, "closed");
  }
  return all;
}

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

#endif
