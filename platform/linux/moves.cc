// moves.cc - pages that change places without being given back in between: mremap with MREMAP_DONTUNMAP (Linux 5.7; of hidden
// pages 5.13).
//
// Without DONTUNMAP the old place would be a hole for a moment, which a mapping of another thread could fall into.
#include <sys/mman.h>

#include "platform/errno_saver.h"
#include "platform/linux/filter.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {
namespace {

// What older headers do not name (linux/mman.h).
constexpr int remap_dont_unmap = 4;

// With an old size of 0: a second map of the same pages, shared ones, with the flags of the first (mremap(2)).
error remap(std::byte* from, std::size_t old_size, int flags, std::byte* to, std::size_t size) {
  if (const error refusal = forbidden(risky_call::move_map); refusal != 0) return refusal;
  return mremap(from, old_size, size, MREMAP_MAYMOVE | MREMAP_FIXED | flags, to) == to ? 0 : errno;
}

}  // namespace

// The lock and the advice go along; the old place keeps a map without a lock, and a hidden page shows in both. The kernel charges
// the lock to the new place and does not take it off the old one (mm/mremap.c, seen on 6.18): one page of RLIMIT_MEMLOCK is lost.
error move(std::byte* from, std::byte* to, std::size_t size) {
  const errno_saver kept;
  if (const error refusal = remap(from, size, remap_dont_unmap, to, size); refusal != 0) return refusal;
  // A page that the kernel did not take along (it moves what is present) is there before it is needed.
  touch(to, size);
  return 0;
}

error map_hidden_twice(std::byte* from, std::byte* to, std::size_t size) {
  const errno_saver kept;
  return remap(from, 0, 0, to, size);
}

// A page that was never opened is moved over the old one: that is one call, and it brings the advice and the name that the
// neighbours have, so that all are one map. More pages, and older kernels, take a new map and the advice again.
error vacate(std::byte* address, std::size_t size, std::byte* blank, fork_policy policy, reservation& again) {
  const errno_saver kept;
  if (size == page_size() && remap(blank, size, remap_dont_unmap, address, size) == 0) return 0;
  return unhide(address, size, policy, again);
}

}  // namespace lockfast::platform
