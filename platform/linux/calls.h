// calls.h - numbers and flags of Linux that older headers do not name (asm/unistd.h, linux/prctl.h).
#ifndef LOCKFAST_PLATFORM_LINUX_CALLS_H
#define LOCKFAST_PLATFORM_LINUX_CALLS_H

namespace lockfast::platform {

inline constexpr long call_memfd_secret = 447;  // Linux 5.14
inline constexpr long call_mseal = 462;         // 6.10

inline constexpr int prctl_set_vma = 0x53564d41;  // 5.17, where the kernel was built with it
inline constexpr unsigned long prctl_set_vma_name = 0;

}  // namespace lockfast::platform

#endif
