// metadata.h - pages for the allocator's own records, away from every secret and from the ordinary heap.
//
//    | guard page | records, one after the other ... | guard page |
//
// What is taken is never given back: its owner keeps it for the next use. The pages are left out of core dumps, are not
// locked, since they hold sizes, addresses and canary keys but no secret, and are inherited by a forked child.
//
// Threads: take() from any thread; bytes_reserved() without a mutex, from a signal handler, too.
#ifndef LOCKFAST_ALLOCATOR_BASE_METADATA_H
#define LOCKFAST_ALLOCATOR_BASE_METADATA_H

#include <cstddef>

#include "platform/platform.h"

namespace lockfast::internal {

class metadata {
 public:
  // Zeroed bytes at a multiple of 64; null, with nothing taken, when the system refuses.
  [[nodiscard]] static std::byte* take(std::size_t size);

  template <class T>
  [[nodiscard]] static T* take_array(std::size_t count) {
    return static_cast<T*>(static_cast<void*>(take(count * sizeof(T))));
  }

  // Bytes of address space taken from the system so far.
  [[nodiscard]] static std::size_t bytes_reserved();

  static platform::mutex& mutex();
};

}  // namespace lockfast::internal

#endif
