// aead.h - authenticated encryption with associated data: XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03) and the
// ChaCha20-Poly1305 of RFC 8439 that it is made of.
//
//    key, nonce[0..16)  --HChaCha20-->  subkey
//    subkey, nonce[16..24)  --ChaCha20-->  block 0: Poly1305's key; block 1 and on: added to the bytes
//    tag = Poly1305 of | associated, padded | sealed, padded | their two sizes |
//
// Invariants
//   1. The running time depends on sizes, and on whether the tag was right, alone.
//   2. No key, keystream or plain byte is left on the stack or in vector registers when a function returns.
//   3. What does not open is not written.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_CIPHER_AEAD_H
#define LOCKFAST_ALLOCATOR_CIPHER_AEAD_H

#include <cstddef>
#include <cstdint>
#include <span>

#include "allocator/cipher/chacha20.h"
#include "allocator/cipher/poly1305.h"

namespace lockfast::internal {

class aead {
 public:
  static constexpr std::size_t key_size = chacha20::key_size;  // bytes, as the next three
  static constexpr std::size_t nonce_size = 24;                // never the same twice under one key
  static constexpr std::size_t short_nonce_size = chacha20::nonce_size;
  static constexpr std::size_t tag_size = poly1305::tag_size;
  // The most bytes that one nonce serves: the keystream has 2^32 blocks, and the first is the tag's.
  static constexpr std::uint64_t max_size = ((std::uint64_t{1} << 32) - 1) * chacha20::block_size;

  using key_view = std::span<const std::byte, key_size>;
  using nonce_view = std::span<const std::byte, nonce_size>;
  using short_nonce_view = std::span<const std::byte, short_nonce_size>;
  using bytes_view = std::span<const std::byte>;

  // Seals plain into as many bytes at sealed, which begins at the same byte or does not overlap it, and a tag. Requires at most
  // max_size bytes.
  static void seal(key_view key, nonce_view nonce, bytes_view associated, bytes_view plain, std::byte* sealed,
                   std::span<std::byte, tag_size> tag);
  static void seal(key_view key, short_nonce_view nonce, bytes_view associated, bytes_view plain, std::byte* sealed,
                   std::span<std::byte, tag_size> tag);

  // Opens sealed into as many bytes at plain; false, with nothing written, when it was not sealed with this key, nonce and
  // associated bytes, or was changed since.
  [[nodiscard]] static bool open(key_view key, nonce_view nonce, bytes_view associated, bytes_view sealed,
                                 std::span<const std::byte, tag_size> tag, std::byte* plain);
  [[nodiscard]] static bool open(key_view key, short_nonce_view nonce, bytes_view associated, bytes_view sealed,
                                 std::span<const std::byte, tag_size> tag, std::byte* plain);

  // Whether it would open: authenticates without opening.
  [[nodiscard]] static bool authentic(key_view key, short_nonce_view nonce, bytes_view associated, bytes_view sealed,
                                      std::span<const std::byte, tag_size> tag);
};

}  // namespace lockfast::internal

#endif
