// policies.h - what the options of a family come to on this machine: what each placement does, and how much it may keep.
//
// Threads: values.
#ifndef LOCKFAST_ALLOCATOR_POLICIES_H
#define LOCKFAST_ALLOCATOR_POLICIES_H

#include <lockfast/lockfast.h>

#include <cstddef>

#include "allocator/base/breach.h"
#include "allocator/grouped/grouped_heap.h"
#include "allocator/isolated/isolated.h"

namespace lockfast::internal {

struct policies {
  isolated_arena::policy of_isolated;  // of each of the family's arenas
  grouped_heap::policy of_grouped;
  sealer::when sealed_when;
  std::size_t max_wiped_runs;  // of sealed secrets
};

// Requires options without an unset field, and the lock limit raised. threads_end: whether the host calls us when a thread does.
[[nodiscard]] policies policies_of(const lockfast_options& options, breach_signal signal, std::size_t arena_count,
                                   bool threads_end);

}  // namespace lockfast::internal

#endif
