// allocated.h - what an allocation comes to.
//
// Threads: a value.
#ifndef LOCKFAST_ALLOCATOR_BASE_ALLOCATED_H
#define LOCKFAST_ALLOCATOR_BASE_ALLOCATED_H

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

// Why idle pages are given back: because the program asked for that, or at a shortage, for which quarantine does not end under
// quarantine=hold.
enum class trimming : unsigned char { asked, shortage };

}  // namespace lockfast::internal

#endif
