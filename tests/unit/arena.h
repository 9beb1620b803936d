// arena.h - an arena of its own for a test, over the simulated host, under a policy of the test's choice.
#ifndef LOCKFAST_TESTS_UNIT_ARENA_H
#define LOCKFAST_TESTS_UNIT_ARENA_H

#include <cstddef>
#include <cstdlib>

#include "allocator/base/bytes.h"
#include "allocator/base/random.h"
#include "allocator/isolated/isolated.h"
#include "platform/simulated/simulated.h"

namespace lockfast::internal {

inline constexpr isolated_arena::policy trapping = {
    page_run::lock_wanted::always, platform::fork_policy::absent, true, 4096, 4096, breach_signal::abort, 0};
inline constexpr isolated_arena::policy recycling = {
    page_run::lock_wanted::always, platform::fork_policy::absent, false, 4096, 4096, breach_signal::abort, 0};
inline constexpr isolated_arena::policy preferring = {
    page_run::lock_wanted::if_possible, platform::fork_policy::absent, true, 4096, 4096, breach_signal::abort, 0};

// Kept for the life of the process, as the regions are that know it; whatever the arenas before it keep idle goes back.
inline isolated_arena& make_arena(const isolated_arena::policy& chosen) {
  static isolated_arena* previous = nullptr;
  if (previous != nullptr) previous->trim();
  simulated::reset();
  // As a pool does before it starts its arenas.
  if (keep_seed() != 0) std::abort();
  previous = new isolated_arena;
  previous->start(chosen);
  return *previous;
}

inline span& span_of(const std::byte* secret) {
  span* const at = span_region::find_secret(secret).at;
  if (at == nullptr) std::abort();
  return *at;
}

// Calls by a secret's address alone.
struct by_address {
  isolated_arena& arena;

  std::byte* allocate(std::size_t size) const { return arena.allocate(size, 1, sodium_fill_byte).address; }
  void deallocate(const std::byte* secret) const { arena.deallocate(secret, span_of(secret)); }
  platform::error protect(const std::byte* secret, platform::access to) const {
    return arena.protect(secret, span_of(secret), to);
  }
  platform::error check(const std::byte* secret) const { return arena.check(secret, span_of(secret)); }
  lockfast_receipt describe(const std::byte* secret) const {
    lockfast_receipt receipt = {};
    (void)arena.describe(secret, span_of(secret), account::system, receipt);
    return receipt;
  }
};

}  // namespace lockfast::internal

#endif
