// blake2b_core.h - the compression function of BLAKE2b (RFC 7693), and what it starts from.
//
// Threads: no state.
#ifndef LOCKFAST_BOOJUM_CRYPTO_BLAKE2B_CORE_H
#define LOCKFAST_BOOJUM_CRYPTO_BLAKE2B_CORE_H

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "boojum/crypto/little_endian.h"

namespace lockfast::internal::blake2b {

inline constexpr std::size_t block_size = 128;  // bytes
inline constexpr std::size_t rounds = 12;

inline constexpr std::array<std::uint64_t, 8> start = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b,
                                                       0xa54ff53a5f1d36f1, 0x510e527fade682d1, 0x9b05688c2b3e6c1f,
                                                       0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

inline constexpr std::uint8_t orders[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

// All ones where a flag is set, otherwise 0.
struct ending {
  std::uint64_t block = 0;  // the last one of its node
  std::uint64_t node = 0;   // the last one of its level
};

// What a compression works in.
struct work {
  std::array<std::uint64_t, 16> values;
  std::array<std::uint64_t, 16> words;

  void mix(std::size_t a, std::size_t b, std::size_t c, std::size_t d, std::uint64_t x, std::uint64_t y) {
    values[a] += values[b] + x;
    values[d] = std::rotr(values[d] ^ values[a], 32);
    values[c] += values[d];
    values[b] = std::rotr(values[b] ^ values[c], 24);
    values[a] += values[b] + y;
    values[d] = std::rotr(values[d] ^ values[a], 16);
    values[c] += values[d];
    values[b] = std::rotr(values[b] ^ values[c], 63);
  }

  // Absorbs a block of 128 bytes, up to which there are size bytes, into eight sums.
  template <class Sums>
  void absorb(Sums&& sums, const std::byte* block, std::uint64_t size, ending last) {
    for (std::size_t at = 0; at < 8; ++at) {
      values[at] = sums[at];
      values[8 + at] = start[at];
    }
    values[12] ^= size;
    values[14] ^= last.block;
    values[15] ^= last.node;
    for (std::size_t at = 0; at < words.size(); ++at) words[at] = load_little<std::uint64_t>(block + 8 * at);
    for (std::size_t round = 0; round < rounds; ++round) {
      const auto& order = orders[round % 10];
      for (std::size_t at = 0; at < 4; ++at) mix(at, 4 + at, 8 + at, 12 + at, words[order[2 * at]], words[order[2 * at + 1]]);
      for (std::size_t at = 0; at < 4; ++at) {
        mix(at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4, words[order[8 + 2 * at]], words[order[9 + 2 * at]]);
      }
    }
    for (std::size_t at = 0; at < 8; ++at) sums[at] ^= values[at] ^ values[at + 8];
  }
};

}  // namespace lockfast::internal::blake2b

#endif
