// cipher.h - XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) as the Boojum types use it: a record, a chunk, a file at a time.
//
// The cipher is the allocator's (allocator/cipher/aead.h). libcrypto is given no key of a record or of a chunk, and nothing that opens
// one: what it holds lies in the ordinary heap, for as long as it pleases.
//
// Invariants
//   1. No key and no plain byte is left on the stack or in a register when a function returns.
//   2. What does not open leaves its output wiped.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_CIPHER_H
#define LOCKFAST_BOOJUM_CRYPTO_CIPHER_H

#include <cstddef>
#include <span>

#include "allocator/cipher/aead.h"

namespace lockfast::internal {

inline constexpr std::size_t key_size = aead::key_size;      // bytes, as the next two
inline constexpr std::size_t nonce_size = aead::nonce_size;  // never the same twice under one key: nonce.h
inline constexpr std::size_t tag_size = aead::tag_size;

using key_view = aead::key_view;
using nonce_view = aead::nonce_view;

// Seals plain into as many bytes at sealed, and a tag. The two begin at the same byte or do not overlap.
void seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
          std::span<std::byte> sealed, std::span<std::byte, tag_size> tag);

// Opens sealed into as many bytes at plain. False if it was not sealed with this key, nonce and associated bytes, or was changed
// since.
[[nodiscard]] bool open(key_view key, nonce_view nonce, std::span<const std::byte> associated,
                        std::span<const std::byte> sealed, std::span<const std::byte, tag_size> tag,
                        std::span<std::byte> plain);

// The same with the tag as the last bytes of sealed.
void seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
          std::span<std::byte> sealed);
[[nodiscard]] bool open(key_view key, nonce_view nonce, std::span<const std::byte> associated,
                        std::span<const std::byte> sealed, std::span<std::byte> plain);

// Overwrites the part of the stack that calls made by the caller have used, as far as it is likely to have been touched.
void wipe_stack();

}  // namespace lockfast::internal

#endif
