// chacha20.cc - the rounds in rows and in lanes.
#include "allocator/cipher/chacha20.h"

#include <bit>
#include <cstring>

#include "allocator/base/bytes.h"
#include "platform/vectors.h"

namespace lockfast::internal {
namespace {

constexpr int double_rounds = 10;
constexpr std::uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};

// At least twice what the frames of add_keystream() and of what it calls take (gcc 12, clang 19; -O1 and above).
constexpr std::size_t frames_size = 2048;

template <std::size_t Words>
struct vector_of {
  using type [[gnu::vector_size(4 * Words)]] = std::uint32_t;
  using bytes [[gnu::vector_size(4 * Words)]] = std::uint8_t;
};

// A row of the state: four words that are worked on at once. Four rows and what a round needs beside them fit into the vector
// registers of every processor that has any, so that no part of the key is spilled to the stack.
using row = vector_of<4>::type;

// Everything here is inlined into functions for different processors.
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

// ---- In rows ----

template <int Places>
[[gnu::always_inline]] inline void turn(row& words) {
  words = __builtin_shufflevector(words, words, Places, (Places + 1) % 4, (Places + 2) % 4, (Places + 3) % 4);
}

template <std::size_t Count>
[[gnu::always_inline]] inline void double_rounds_in_rows(row (&a)[Count], row (&b)[Count], row (&c)[Count], row (&d)[Count]) {
  for (int round = 0; round < double_rounds; ++round) {
    for (std::size_t at = 0; at < Count; ++at) quarter_rounds(a[at], b[at], c[at], d[at]);
    for (std::size_t at = 0; at < Count; ++at) turn<1>(b[at]), turn<2>(c[at]), turn<3>(d[at]);
    for (std::size_t at = 0; at < Count; ++at) quarter_rounds(a[at], b[at], c[at], d[at]);
    for (std::size_t at = 0; at < Count; ++at) turn<3>(b[at]), turn<2>(c[at]), turn<1>(d[at]);
  }
}

// Two blocks at once take little longer than one.
void two_blocks(const std::uint32_t (&state)[16], std::uint32_t counter, std::byte* out) {
  row rows[4];
  std::memcpy(rows, state, sizeof rows);
  rows[3][0] = counter;
  const row next = {1, 0, 0, 0};
  row a[2] = {rows[0], rows[0]};
  row b[2] = {rows[1], rows[1]};
  row c[2] = {rows[2], rows[2]};
  row d[2] = {rows[3], rows[3] + next};
  double_rounds_in_rows(a, b, c, d);
  for (std::size_t at = 0; at < 2; ++at) {
    std::byte* const to = out + at * chacha20::block_size;
    store(to, a[at] + rows[0]);
    store(to + 16, b[at] + rows[1]);
    store(to + 32, c[at] + rows[2]);
    store(to + 48, d[at] + (at == 0 ? rows[3] : rows[3] + next));
  }
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

// As many blocks as there are lanes.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void add_blocks(const std::uint32_t (&state)[16], std::uint32_t counter, const std::byte* from,
                                              std::byte* to) {
  lanes<Lanes> counters;
  spread<Lanes>(counters, counter);
  for (std::size_t lane = 0; lane < Lanes; ++lane) counters[lane] += static_cast<std::uint32_t>(lane);
  lanes<Lanes> words[16];
#pragma GCC unroll 16
  for (std::size_t word = 0; word < 16; ++word) spread<Lanes>(words[word], state[word]);
  words[12] = counters;
  for (int round = 0; round < double_rounds; ++round) {
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at) quarter_rounds(words[at], words[4 + at], words[8 + at], words[12 + at]);
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at) {
      quarter_rounds(words[at], words[4 + (at + 1) % 4], words[8 + (at + 2) % 4], words[12 + (at + 3) % 4]);
    }
  }
#pragma GCC unroll 16
  for (std::size_t word = 0; word < 16; ++word) {
    lanes<Lanes> start = counters;
    if (word != 12) spread<Lanes>(start, state[word]);
    words[word] += start;
  }
#pragma GCC unroll 4
  for (std::size_t index = 0; index < 4; ++index) {
    transpose<Lanes>(words, index);
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at) {
      row found[Lanes / 4];
      std::memcpy(found, &words[4 * index + at], sizeof found);
#pragma GCC unroll 2
      for (std::size_t group = 0; group < Lanes / 4; ++group) {
        const std::size_t offset = (4 * group + at) * chacha20::block_size + index * sizeof(row);
        store(to + offset, load(from + offset) ^ found[group]);
      }
    }
  }
}

template <std::size_t Lanes>
[[gnu::always_inline]] inline std::size_t add_all_blocks(const std::uint32_t (&state)[16], std::uint32_t counter,
                                                         const std::byte* from, std::byte* to, std::size_t size) {
  constexpr std::size_t step = Lanes * chacha20::block_size;
  std::size_t done = 0;
  for (; size - done >= step; done += step) {
    add_blocks<Lanes>(state, counter, from + done, to + done);
    counter += static_cast<std::uint32_t>(Lanes);
  }
  return done;
}

[[gnu::noinline]] std::size_t add_by_16_bytes(const std::uint32_t (&state)[16], std::uint32_t counter, const std::byte* from,
                                              std::byte* to, std::size_t size) {
  return add_all_blocks<4>(state, counter, from, to, size);
}

#if defined(__x86_64__)
[[gnu::noinline, gnu::target("avx2")]] std::size_t add_by_32_bytes(const std::uint32_t (&state)[16], std::uint32_t counter,
                                                                   const std::byte* from, std::byte* to, std::size_t size) {
  return add_all_blocks<8>(state, counter, from, to, size);
}
#else
constexpr auto add_by_32_bytes = add_by_16_bytes;
#endif

}  // namespace

chacha20::chacha20(std::span<const std::byte, key_size> key, std::span<const std::byte, nonce_size> nonce) {
  std::memcpy(state_, constants, sizeof constants);
  std::memcpy(state_ + 4, key.data(), key_size);
  state_[12] = 0;
  std::memcpy(state_ + 13, nonce.data(), nonce_size);
  for (std::size_t word = 4; word < 16; ++word) little(state_[word]);
}

chacha20::~chacha20() { wipe(state_, sizeof state_); }

void chacha20::first_blocks(std::span<std::byte, 2 * block_size> out) const { two_blocks(state_, 0, out.data()); }

void chacha20::add_keystream(std::uint32_t counter, const std::byte* from, std::byte* to, std::size_t size) const {
  std::size_t done = 0;
  const auto counter_now = [&] { return counter + static_cast<std::uint32_t>(done / block_size); };
  if (platform::has_vectors_of_32()) done = add_by_32_bytes(state_, counter, from, to, size);
  done += add_by_16_bytes(state_, counter_now(), from + done, to + done, size - done);
  std::byte keystream[2 * block_size];
  while (done < size) {
    const std::size_t part = size - done < sizeof keystream ? size - done : sizeof keystream;
    two_blocks(state_, counter_now(), keystream);
    for (std::size_t at = 0; at < part; ++at) to[done + at] = from[done + at] ^ keystream[at];
    done += part;
  }
  wipe(keystream, sizeof keystream);
}

void hchacha20(std::span<const std::byte, chacha20::key_size> key, std::span<const std::byte, 16> input,
               std::span<std::byte, chacha20::key_size> out) {
  row a[1] = {{constants[0], constants[1], constants[2], constants[3]}};
  row b[1] = {load(key.data())};
  row c[1] = {load(key.data() + sizeof(row))};
  row d[1] = {load(input.data())};
  double_rounds_in_rows(a, b, c, d);
  store(out.data(), a[0]);
  store(out.data() + sizeof(row), d[0]);
}

[[gnu::noinline]] void wipe_traces() {
  std::byte frames[frames_size];
  wipe(frames, sizeof frames);
  platform::wipe_vectors();
}

}  // namespace lockfast::internal
