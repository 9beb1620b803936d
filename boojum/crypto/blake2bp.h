// blake2bp.h - BLAKE2bp-512: four BLAKE2b side by side, over every fourth block each, and a fifth over what they give (the BLAKE2 paper,
// section 2.10). One instruction serves all four where the processor has vectors of 32 bytes.
//
//    leaf i   blocks i, i + 4, i + 8, ... of 128 bytes   -->  64 bytes
//    root     leaf 0 | leaf 1 | leaf 2 | leaf 3          -->  64 bytes
//
// It works on the stack and in registers, which are for the caller to wipe: wipe_stack(), wipe_traces().
//
// Threads: no state.
#ifndef LOCKFAST_BOOJUM_CRYPTO_BLAKE2BP_H
#define LOCKFAST_BOOJUM_CRYPTO_BLAKE2BP_H

#include <cstddef>
#include <span>

namespace lockfast::internal {

// How many leaves are worked on at once: as many as the processor can, or one.
enum class leaves_at_once : unsigned char { most, one };

inline constexpr std::size_t blake2bp_size = 64;  // bytes of a digest

// The digest of head | text. Requires at most 128 bytes of head.
void blake2bp(std::span<const std::byte> head, std::span<const std::byte> text, std::span<std::byte, blake2bp_size> out,
              leaves_at_once how = leaves_at_once::most);

}  // namespace lockfast::internal

#endif
