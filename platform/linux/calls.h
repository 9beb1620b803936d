// calls.h - numbers and flags of Linux that older headers do not name (asm/unistd.h, linux/prctl.h); what calls of our own wrote.
#ifndef LOCKFAST_PLATFORM_LINUX_CALLS_H
#define LOCKFAST_PLATFORM_LINUX_CALLS_H

#if defined(__has_feature)
#if __has_feature(memory_sanitizer)
#include <sanitizer/msan_interface.h>
#define LOCKFAST_UNDER_MSAN 1
#endif
#endif

namespace lockfast::platform {

inline constexpr long call_memfd_secret = 447;  // Linux 5.14
inline constexpr long call_mseal = 462;         // 6.10

inline constexpr int prctl_set_vma = 0x53564d41;  // 5.17, where the kernel was built with it
inline constexpr unsigned long prctl_set_vma_name = 0;

// The result of a call that wrote so many bytes, or none. MemorySanitizer knows what functions of the C library write, and not what a
// system call does that was made directly.
inline long written_by_system([[maybe_unused]] const void* address, long length) {
#if defined(LOCKFAST_UNDER_MSAN)
  if (length > 0) __msan_unpoison(address, static_cast<unsigned long>(length));
#endif
  return length;
}

}  // namespace lockfast::platform

#endif
