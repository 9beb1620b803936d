// family.h - the numbers of the families of secrets, by which a thread's thread_caches and what a slab says of itself are told apart.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_BASE_FAMILY_H
#define LOCKFAST_ALLOCATOR_BASE_FAMILY_H

#include <cstddef>
#include <cstdint>

namespace lockfast::internal {

inline constexpr std::uint8_t native_family = 0;   // behind lockfast_malloc
inline constexpr std::uint8_t drop_in_family = 1;  // behind sodium_malloc
inline constexpr std::uint8_t no_family = 2;
inline constexpr std::size_t family_count = no_family;

}  // namespace lockfast::internal

#endif
