// lock_budget.h - whether this process may lock little memory, so that its secrets must make do with less.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_MEMORY_LOCK_BUDGET_H
#define LOCKFAST_BOOJUM_MEMORY_LOCK_BUDGET_H

#include <cstddef>

#include "platform/platform.h"

namespace lockfast::internal {

// Under a smaller limit, locks are scarce: bytes.
inline constexpr std::size_t ample_lock_limit = std::size_t{512} * 1024;

// Asks the system each time: a process may give up its right to lock without a limit.
[[nodiscard]] inline bool locks_are_scarce() { return !platform::may_lock(ample_lock_limit); }

}  // namespace lockfast::internal

#endif
