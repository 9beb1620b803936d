// pages.h - between posix/pages.cc, which every POSIX host shares, and the files that are one system's own.
//
// Threads: as in platform.h.
#ifndef LOCKFAST_PLATFORM_POSIX_PAGES_H
#define LOCKFAST_PLATFORM_POSIX_PAGES_H

#include <cerrno>
#include <cstddef>

#include "platform/platform.h"

namespace lockfast::platform {

// ---- For the systems' files -----------------------------------------------------------------------------------------------

inline error result_of(long result) { return result == 0 ? 0 : errno; }

// The PROT_ flags of an access.
[[nodiscard]] int protection_of(access wanted);

// madvise(2); the errno of a refusal.
[[nodiscard]] error advise(std::byte* address, std::size_t size, int advice);

// RLIMIT_MEMLOCK, in bytes; SIZE_MAX where it does not bound anything.
[[nodiscard]] std::size_t resource_limit_of_locks();

// Writes each page's first byte back to itself: the page is resident, and this process's own, from then on.
void touch(std::byte* address, std::size_t size);

// The value of an environment variable; null when unset and in a program that runs with more rights than its caller.
[[nodiscard]] const char* trusted_variable(const char* name);

// ---- Asked of the systems' files ------------------------------------------------------------------------------------------

// Flags of mmap(2): what each reservation is made with besides, and what puts a map at a place that is free and refuses one that
// is not; 0 where the system takes the place for a wish.
extern const int flags_of_reservations;
extern const int flags_of_exact_place;

// mlock(2) and munlock(2).
[[nodiscard]] error lock_pages(const std::byte* address, std::size_t size);
[[nodiscard]] error unlock_pages(const std::byte* address, std::size_t size);

// What every reservation gets before its first page is opened, while it is one map: its address, and which of its protections
// are not had.
void settle_reservation(reservation& made, std::byte* address, std::size_t size, fork_policy policy);

}  // namespace lockfast::platform

#endif
