// grants.h - the access that a thread asked for in each compartment, where the pages' own access is all that there is.
//
// Threads: a thread's own.
#ifndef LOCKFAST_ALLOCATOR_COMPARTMENT_GRANTS_H
#define LOCKFAST_ALLOCATOR_COMPARTMENT_GRANTS_H

#include <cstddef>
#include <cstdint>

#include "platform/platform.h"

namespace lockfast::internal {

class compartment;

struct grant {
  compartment* to;      // null: unused
  std::uint32_t epoch;  // which of the compartments that have had this record
  platform::access access;
};

// How many compartments a thread can hold open at once where there is no protection key.
inline constexpr std::size_t max_grants = 64;

// This thread's; null when there is no memory for them.
[[nodiscard]] grant* grants_of_thread();
// The same, null when the thread has not asked for any yet.
[[nodiscard]] grant* known_grants();
// The thread ends: its table serves another. Requires that none is in use.
void give_up_grants();

// Held across a fork, in front of the records' own.
[[nodiscard]] platform::mutex& grants_mutex();

}  // namespace lockfast::internal

#endif
