// chacha20_rounds.h - the rounds of ChaCha20 in vectors, for what computes many states at once.
//
//    in lanes:   words[0] = | word 0 of state 0 | word 0 of state 1 | ... |,  words[1] = | word 1 of state 0 | ...
//
// Everything here is inlined into functions for different processors.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_CIPHER_CHACHA20_ROUNDS_H
#define LOCKFAST_ALLOCATOR_CIPHER_CHACHA20_ROUNDS_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lockfast::internal::chacha20_rounds {

inline constexpr int double_rounds = 10;
inline constexpr std::uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

template <std::size_t Words>
struct vector_of {
  using type [[gnu::vector_size(4 * Words)]] = std::uint32_t;
  using bytes [[gnu::vector_size(4 * Words)]] = std::uint8_t;
};

// A row of the state: four words that are worked on at once. Four rows and what a round needs beside them fit into the vector
// registers of every processor that has any, so that no part of the key is spilled to the stack.
using row = vector_of<4>::type;

template <int Bits, class Words>
[[gnu::always_inline]] inline void rotate(Words& words) {
  words = (words << Bits) | (words >> (32 - Bits));
}

// By whole bytes: one instruction where a processor has vectors of 32 bytes, and gcc does not see that by itself.
template <int Bits>
[[gnu::always_inline]] inline void rotate(vector_of<8>::type& words) {
  if constexpr (Bits == 16 || Bits == 8) {
    using bytes = vector_of<8>::bytes;
    const auto moved = reinterpret_cast<bytes>(words);
    if constexpr (Bits == 16) {
      words = reinterpret_cast<vector_of<8>::type>(
          __builtin_shufflevector(moved, moved, 2, 3, 0, 1, 6, 7, 4, 5, 10, 11, 8, 9, 14, 15, 12, 13,  //
                                  18, 19, 16, 17, 22, 23, 20, 21, 26, 27, 24, 25, 30, 31, 28, 29));
    } else {
      words = reinterpret_cast<vector_of<8>::type>(
          __builtin_shufflevector(moved, moved, 3, 0, 1, 2, 7, 4, 5, 6, 11, 8, 9, 10, 15, 12, 13, 14,  //
                                  19, 16, 17, 18, 23, 20, 21, 22, 27, 24, 25, 26, 31, 28, 29, 30));
    }
  } else {
    words = (words << Bits) | (words >> (32 - Bits));
  }
}

template <class Words>
[[gnu::always_inline]] inline void quarter_rounds(Words& a, Words& b, Words& c, Words& d) {
  a += b, d ^= a, rotate<16>(d);
  c += d, b ^= c, rotate<12>(b);
  a += b, d ^= a, rotate<8>(d);
  c += d, b ^= c, rotate<7>(b);
}

// Words as ChaCha20 has them, the lowest byte first, from words as the processor has them, or back.
template <class Words>
[[gnu::always_inline]] inline void little(Words& words) {
  if constexpr (std::endian::native != std::endian::little) {
    words = ((words & 0xff) << 24) | ((words & 0xff00) << 8) | ((words >> 8) & 0xff00) | (words >> 24);
  }
}

[[gnu::always_inline]] inline row load(const std::byte* from) {
  row words;
  std::memcpy(&words, from, sizeof words);
  little(words);
  return words;
}

[[gnu::always_inline]] inline void store(std::byte* to, row words) {
  little(words);
  std::memcpy(to, &words, sizeof words);
}

// ---- In lanes ----

template <std::size_t Lanes>
using lanes = typename vector_of<Lanes>::type;

// One word for all lanes. Not as a sum with zeros, which gcc 12 takes apart into scalars in what is inlined into a function for
// another processor.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void spread(lanes<Lanes>& over, std::uint32_t word) {
  if constexpr (Lanes == 4) {
    over = lanes<Lanes>{word, word, word, word};
  } else {
    over = lanes<Lanes>{word, word, word, word, word, word, word, word};
  }
}

// Row `index` of the state of each block, in place of the same four words of all blocks: afterwards words[k] has, in its group
// of four words g, those of block 4 * g + k.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void transpose(lanes<Lanes> (&words)[16], std::size_t index) {
  lanes<Lanes>& a = words[4 * index];
  lanes<Lanes>& b = words[4 * index + 1];
  lanes<Lanes>& c = words[4 * index + 2];
  lanes<Lanes>& d = words[4 * index + 3];
  lanes<Lanes> ab_low, ab_high, cd_low, cd_high;
  if constexpr (Lanes == 4) {
    ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
    ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
    cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
    cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
    a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5);
    b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7);
    c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5);
    d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7);
  } else {
    static_assert(Lanes == 8);
    ab_low = __builtin_shufflevector(a, b, 0, 8, 1, 9, 4, 12, 5, 13);
    ab_high = __builtin_shufflevector(a, b, 2, 10, 3, 11, 6, 14, 7, 15);
    cd_low = __builtin_shufflevector(c, d, 0, 8, 1, 9, 4, 12, 5, 13);
    cd_high = __builtin_shufflevector(c, d, 2, 10, 3, 11, 6, 14, 7, 15);
    a = __builtin_shufflevector(ab_low, cd_low, 0, 1, 8, 9, 4, 5, 12, 13);
    b = __builtin_shufflevector(ab_low, cd_low, 2, 3, 10, 11, 6, 7, 14, 15);
    c = __builtin_shufflevector(ab_high, cd_high, 0, 1, 8, 9, 4, 5, 12, 13);
    d = __builtin_shufflevector(ab_high, cd_high, 2, 3, 10, 11, 6, 7, 14, 15);
  }
}

// Calls act(lane, row) with row `index` of each lane's state, whose four words are no longer in lanes afterwards.
template <std::size_t Lanes, class Act>
[[gnu::always_inline]] inline void for_each_row(lanes<Lanes> (&words)[16], std::size_t index, Act act) {
  transpose<Lanes>(words, index);
#pragma GCC unroll 4
  for (std::size_t at = 0; at < 4; ++at) {
    row found[Lanes / 4];
    std::memcpy(found, &words[4 * index + at], sizeof found);
#pragma GCC unroll 2
    for (std::size_t group = 0; group < Lanes / 4; ++group) act(4 * group + at, found[group]);
  }
}

// The twenty rounds of each lane's state.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void permute(lanes<Lanes> (&words)[16]) {
  for (int round = 0; round < double_rounds; ++round) {
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at) quarter_rounds(words[at], words[4 + at], words[8 + at], words[12 + at]);
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at) {
      quarter_rounds(words[at], words[4 + (at + 1) % 4], words[8 + (at + 2) % 4], words[12 + (at + 3) % 4]);
    }
  }
}

}  // namespace lockfast::internal::chacha20_rounds

#endif
