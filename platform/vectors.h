// vectors.h - many bytes looked at with what the processor has, and its vector registers wiped.
//
// Threads: no state.
#ifndef LOCKFAST_PLATFORM_VECTORS_H
#define LOCKFAST_PLATFORM_VECTORS_H

#include <cstddef>

namespace lockfast::platform {

// Whether every byte is zero, for vectors_size bytes or more; with vectors of 32 bytes (AVX2) where there are any.
inline constexpr std::size_t vectors_size = 128;
[[nodiscard]] bool all_zero(const std::byte* address, std::size_t size);

// Whether a function for a processor with vectors of 32 bytes (AVX2) can be called; false in doubt, and on Windows, where gcc
// leaves such vectors on a stack that is aligned to 16.
[[nodiscard]] bool has_vectors_of_32();

// Overwrites the vector registers, where the processor is x86-64, AArch64, or ARM with NEON; does nothing elsewhere.
void wipe_vectors();

// Copies bytes that are secret: none of them stays in a register, as after memcpy, which fills the widest vectors there are. The two
// must not overlap.
void copy(std::byte* to, const std::byte* from, std::size_t size);

}  // namespace lockfast::platform

#endif
