// room.h - whether the machine has memory for pages that are to be opened.
//
// The system finds out page by page, when it is too late to refuse: hidden and locked pages cannot be taken back, so that the
// machine hardly runs, or a process is killed. So large requests are weighed first.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_ALLOCATOR_PAGES_ROOM_H
#define LOCKFAST_ALLOCATOR_PAGES_ROOM_H

#include <cstddef>

#include "platform/platform.h"

namespace lockfast::internal {

// The smallest request, in bytes, that is weighed: reading the files that tell takes some 0.4 ms, its pages several.
inline constexpr std::size_t min_weighed = std::size_t{16} << 20;

[[nodiscard]] inline bool has_room_for(std::size_t size) { return size < min_weighed || size <= platform::memory_available(); }

}  // namespace lockfast::internal

#endif
