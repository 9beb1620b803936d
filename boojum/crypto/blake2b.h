// blake2b.h - keyed BLAKE2b (RFC 7693), whose state never leaves locked memory: for what a secret is the key of.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_BLAKE2B_H
#define LOCKFAST_BOOJUM_CRYPTO_BLAKE2B_H

#include <cstddef>
#include <span>

namespace lockfast::internal {

inline constexpr std::size_t blake2b_max = 64;  // bytes of a key, and of what it gives

// Fills out. False if there is no locked memory. Requires 1 to 64 bytes of key and of out. The frames of the stack on which it was
// worked are the caller's to wipe: wipe_stack().
[[nodiscard]] bool keyed_blake2b(std::span<const std::byte> key, std::span<const std::byte> text, std::span<std::byte> out);

}  // namespace lockfast::internal

#endif
