// lock_quota.h - a lock that is refused for want of quota, asked for again once the quota was raised.
//
// Windows lets a process lock what its minimum working set holds, less a few pages, and the process may raise that itself. Apart
// from the host, so that it is tested where nobody refuses.
//
//    struct system {
//      error lock(std::byte* address, std::size_t size);   // EAGAIN: over the quota
//      bool raise(std::size_t by);                         // false: no more is given
//    };
//
// Threads: others may use up what was raised meanwhile, so it is raised more than once.
#ifndef LOCKFAST_PLATFORM_WINDOWS_LOCK_QUOTA_H
#define LOCKFAST_PLATFORM_WINDOWS_LOCK_QUOTA_H

#include <cerrno>
#include <cstddef>

namespace lockfast::platform {

// Beside the pages that are wanted: what the system keeps for itself, and room for the next locks.
inline constexpr std::size_t quota_surplus = std::size_t{1} << 20;
inline constexpr int max_raises = 8;

template <class System>
[[nodiscard]] int lock_growing(System& in, std::byte* address, std::size_t size) {
  int refusal = in.lock(address, size);
  for (int raises = 0; refusal == EAGAIN && raises < max_raises; ++raises) {
    if (!in.raise(size + quota_surplus)) break;
    refusal = in.lock(address, size);
  }
  return refusal;
}

}  // namespace lockfast::platform

#endif
