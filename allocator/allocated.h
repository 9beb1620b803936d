// allocated.h - what an allocation comes to.
//
// Threads: a value.
#ifndef LOCKFAST_ALLOCATOR_ALLOCATED_H
#define LOCKFAST_ALLOCATOR_ALLOCATED_H

#include <cerrno>
#include <cstddef>

#include "platform/platform.h"

namespace lockfast::internal {

// A new secret, or the errno of its refusal.
struct allocated {
  std::byte* address;
  platform::error refusal;
};

// Whether a refusal is one that pages which others keep idle could cure: locks or maps or memory used up.
[[nodiscard]] inline bool is_shortage(platform::error refusal) {
  return refusal == ENOMEM || refusal == EAGAIN || refusal == EPERM;
}

}  // namespace lockfast::internal

#endif
