// vectors.h - many bytes looked at with what the processor has.
//
// Threads: no state.
#ifndef LOCKFAST_PLATFORM_VECTORS_H
#define LOCKFAST_PLATFORM_VECTORS_H

#include <cstddef>

namespace lockfast::platform {

// Whether every byte is zero, for vectors_size bytes or more; with vectors of 32 bytes (AVX2) where there are any.
inline constexpr std::size_t vectors_size = 128;
[[nodiscard]] bool all_zero(const std::byte* address, std::size_t size);

}  // namespace lockfast::platform

#endif
