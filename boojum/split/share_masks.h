// share_masks.h - the three computations of a split secret: the stream of a seed, the mask that a prekey makes, and the tag.
//
//    stream = ChaCha20 under the seed, nonce 0, from block 0          the allocator's
//    D_i    = BLAKE2bp-512( label | i | |M| | R_i )                 64 bytes
//    mask_i = the first |M| bytes of D_i, when |M| <= 64
//             ChaCha20 under the key D_i[0..32), from counter 0     else
//    T      = Poly1305 under the key HChaCha20(K | label, label), of  S | zeros | |S|
//
// M is the whole that is masked: K | S | T. libcrypto sees keys that are used
// once; of S it sees whole blocks of 16, which it keeps nowhere. Its contexts are freed, hence cleansed, before a call returns.
//
// Threads: any, on memory of the caller's own.
#ifndef LOCKFAST_BOOJUM_SPLIT_SHARE_MASKS_H
#define LOCKFAST_BOOJUM_SPLIT_SHARE_MASKS_H

#include <cstddef>
#include <span>

#include "allocator/cipher/chacha20.h"

namespace lockfast::internal {

inline constexpr std::size_t mac_key_size = 16;               // K, bytes
inline constexpr std::size_t mac_size = 16;                   // T, bytes
inline constexpr std::size_t seed_size = chacha20::key_size;  // bytes

using seed_view = std::span<const std::byte, seed_size>;

// Room for what the computations need on the way: in locked memory, wiped by its owner.
struct mixing_room {
  static constexpr std::size_t size = 128;      // bytes
  static constexpr std::size_t alignment = 16;  // of where it begins

  explicit mixing_room(std::span<std::byte, size> bytes)
      : digest(bytes.first<64>()), key(bytes.subspan<64, 32>()), tail(bytes.subspan<96, 32>()) {}

  std::span<std::byte, 64> digest;
  std::span<std::byte, 32> key;
  std::span<std::byte, 32> tail;
};

// target ^= the stream of the seed.
void add_seeded(seed_view seed, std::span<std::byte> target, mixing_room room);

// false: libcrypto has no memory, or not the algorithm.

// Whether libcrypto has the algorithms.
[[nodiscard]] bool can_mix();

// Adds, by exclusive or, the mask of the prekey with this index to target, which is as long as M.
[[nodiscard]] bool add_mask(std::span<const std::byte> prekey, unsigned index, std::span<std::byte> target, mixing_room room);

// Writes the tag of secret under K.
[[nodiscard]] bool tag_of(std::span<const std::byte, mac_key_size> key, std::span<const std::byte> secret,
                          std::span<std::byte, mac_size> tag, mixing_room room);

// target ^= source, of the same length.
void add(std::span<std::byte> target, std::span<const std::byte> source);

}  // namespace lockfast::internal

#endif
