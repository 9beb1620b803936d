// lock.h - mlock2(2), between the files of this host.
//
// Threads: any, on memory that the caller owns.
#ifndef LOCKFAST_PLATFORM_LINUX_LOCK_H
#define LOCKFAST_PLATFORM_LINUX_LOCK_H

#include <cstddef>

#include "platform/platform.h"

namespace lockfast::platform {

// Locks each page when it is first touched; EPERM without a call where a filter would end the process for it, and ENOSYS without
// one once the system has said so.
[[nodiscard]] error lock_on_fault(std::byte* address, std::size_t size);

}  // namespace lockfast::platform

#endif
