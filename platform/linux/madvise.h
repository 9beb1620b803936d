// madvise.h - madvise(2) whose effect is promised to somebody.
//
// Emulators of processors (qemu-user) take any advice and follow none.
//
// Threads: any.
#ifndef LOCKFAST_PLATFORM_LINUX_MADVISE_H
#define LOCKFAST_PLATFORM_LINUX_MADVISE_H

#include <cstddef>

#include "platform/platform.h"

namespace lockfast::platform {

// Whether advice has an effect: false where such is taken as no kernel knows.
[[nodiscard]] bool advice_is_followed();

// Advises; the errno of a refusal, ENOTSUP where advice has no effect.
[[nodiscard]] error advise_truly(std::byte* address, std::size_t size, int advice);

}  // namespace lockfast::platform

#endif
