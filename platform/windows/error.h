// error.h - the errno that stands for an error of Windows: the one place where the two meet.
//
// Threads: no state.
#ifndef LOCKFAST_PLATFORM_WINDOWS_ERROR_H
#define LOCKFAST_PLATFORM_WINDOWS_ERROR_H

namespace lockfast::platform {

// Of an error of GetLastError; EIO for one that has no kin.
[[nodiscard]] int errno_of(unsigned long code);
// Of this thread's last error.
[[nodiscard]] int last_error();

}  // namespace lockfast::platform

#endif
