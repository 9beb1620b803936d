// native.h - the handles behind files and directories, and what a call on one came to.
#ifndef LOCKFAST_PLATFORM_WINDOWS_NATIVE_H
#define LOCKFAST_PLATFORM_WINDOWS_NATIVE_H

#include <windows.h>

#include "platform/files.h"
#include "platform/windows/error.h"

namespace lockfast::platform {

inline HANDLE native(file one) { return reinterpret_cast<HANDLE>(one.number); }
inline HANDLE native(directory one) { return reinterpret_cast<HANDLE>(one.number); }

inline error result_of(BOOL done) { return done != 0 ? 0 : last_error(); }

}  // namespace lockfast::platform

#endif
