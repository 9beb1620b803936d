// fork_test.cc - what a forked child finds of reserved memory, by its policy; and the handlers.
#include <doctest/doctest.h>

#include <cstring>

#include "host/reserved.h"
#include "platform/platform.h"
#include "support/check.h"
#include "support/child.h"
#include "support/reach.h"

namespace platform = lockfast::platform;
using platform::access;
using platform::fork_policy;

namespace {

// Where a policy is not had, the reservation says so, and the child has a copy.
void in_child_of(fork_policy policy, void (*look)(const reserved&, bool had)) {
  const reserved one(2, policy);
  one.open();
  std::memset(one.begin(), 0x5a, one.size());
  if (one.how().fork != 0) MESSAGE("the policy is not had here: " << one.how().fork);
  check_clean(in_child([&] { look(one, one.how().fork == 0); }));
  CHECK(one.filled(std::byte{0x5a}));
}

}  // namespace

TEST_CASE("a child that inherits has its own copy, can lock it, and the parent's stays") {
  in_child_of(fork_policy::inherit, [](const reserved& one, bool had) {
    prove(had, "the policy that every system has");
    promised(one.filled(std::byte{0x5a}), "the bytes");
    promised(platform::lock_again(one.begin(), one.size()) == 0, "a lock of its own");
    std::memset(one.begin(), 0, one.size());
  });
}

TEST_CASE("under wipe a child has zeros, or the reservation says that it has not") {
  in_child_of(fork_policy::wipe, [](const reserved& one, bool had) {
    promised(one.filled(had ? std::byte{0} : std::byte{0x5a}), "what the reservation says");
    std::memset(one.begin(), 1, one.size());
  });
}

TEST_CASE("under absent a child has nothing there, and reserves the place again") {
  in_child_of(fork_policy::absent, [](const reserved& one, bool had) {
    if (!had) skip("the system copies it");
    promised(!readable_here(one.begin()), "nothing");
    promised(platform::reserve_again(one.begin(), one.size(), fork_policy::absent).address == one.begin(), "the place again");
    promised(platform::protect(one.begin(), one.size(), access::read_write) == 0 && one.filled(std::byte{0}), "zeros");
  });
}

namespace {

int prepared = 0;
int in_parent = 0;
int in_forked = 0;

}  // namespace

TEST_CASE("a fork calls the handlers, each on its side") {
  platform::at_fork([] { ++prepared; }, [] { ++in_parent; }, [] { ++in_forked; });
  prepared = in_parent = in_forked = 0;
  check_clean(in_child([] { promised(prepared == 1 && in_parent == 0 && in_forked == 1, "prepare, then child"); }));
  CHECK(prepared == 1);
  CHECK(in_parent == 1);
  CHECK(in_forked == 0);
}
