// blake2bp.cc - stripes of four blocks, absorbed in vectors or one by one.
#include "boojum/crypto/blake2bp.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "boojum/crypto/blake2b_core.h"
#include "platform/vectors.h"

namespace lockfast::internal {
namespace {

using blake2b::block_size;

constexpr std::size_t leaves = 4;
constexpr std::size_t stripe_size = leaves * block_size;
constexpr std::uint64_t all_ones = ~std::uint64_t{0};

// One stripe's turn: where each leaf is.
struct stripe_turn {
  std::uint64_t size[leaves];    // bytes of the leaf so far, this block included
  std::uint64_t active[leaves];  // all ones where the leaf has a block here, otherwise 0
  std::uint64_t last[leaves];    // the same for its last block
  std::uint64_t node[leaves];    // the same for the last block of the last leaf
};

// Word k of each leaf.
using sums = std::uint64_t[8][leaves];

void absorb_one_by_one(sums& of, const std::byte* stripe, const stripe_turn& now) {
  blake2b::work work;
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    if (now.active[leaf] == 0) continue;
    std::uint64_t own[8];
    for (std::size_t at = 0; at < 8; ++at) own[at] = of[at][leaf];
    work.absorb(own, stripe + leaf * block_size, now.size[leaf], {.block = now.last[leaf], .node = now.node[leaf]});
    for (std::size_t at = 0; at < 8; ++at) of[at][leaf] = own[at];
  }
}

#if defined(__x86_64__)

using lanes [[gnu::vector_size(32)]] = std::uint64_t;
using halves [[gnu::vector_size(32)]] = std::uint32_t;
using bytes [[gnu::vector_size(32)]] = std::uint8_t;

// Everything here is inlined into the function for its processor.
[[gnu::always_inline]] inline void rotate_by_32(lanes& words) {
  const auto moved = reinterpret_cast<halves>(words);
  words = reinterpret_cast<lanes>(__builtin_shufflevector(moved, moved, 1, 0, 3, 2, 5, 4, 7, 6));
}

[[gnu::always_inline]] inline void rotate_by_24(lanes& words) {
  const auto moved = reinterpret_cast<bytes>(words);
  words =
      reinterpret_cast<lanes>(__builtin_shufflevector(moved, moved, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10,  //
                                                      19, 20, 21, 22, 23, 16, 17, 18, 27, 28, 29, 30, 31, 24, 25, 26));
}

[[gnu::always_inline]] inline void rotate_by_16(lanes& words) {
  const auto moved = reinterpret_cast<bytes>(words);
  words =
      reinterpret_cast<lanes>(__builtin_shufflevector(moved, moved, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9,  //
                                                      18, 19, 20, 21, 22, 23, 16, 17, 26, 27, 28, 29, 30, 31, 24, 25));
}

[[gnu::always_inline]] inline void mix(lanes& a, lanes& b, lanes& c, lanes& d, const lanes& x, const lanes& y) {
  a += b + x, d ^= a, rotate_by_32(d);
  c += d, b ^= c, rotate_by_24(b);
  a += b + y, d ^= a, rotate_by_16(d);
  c += d, b ^= c, b = (b >> 63) | (b + b);
}

[[gnu::always_inline]] inline void load(lanes& into, const void* from) { std::memcpy(&into, from, sizeof into); }

// Word k of each of the four blocks in words[k].
[[gnu::always_inline]] inline void load_words(lanes (&words)[16], const std::byte* stripe) {
#pragma GCC unroll 4
  for (std::size_t group = 0; group < 4; ++group) {
    lanes row[leaves];
    for (std::size_t leaf = 0; leaf < leaves; ++leaf) load(row[leaf], stripe + leaf * block_size + group * sizeof(lanes));
    const lanes even = __builtin_shufflevector(row[0], row[1], 0, 4, 2, 6);
    const lanes odd = __builtin_shufflevector(row[0], row[1], 1, 5, 3, 7);
    const lanes even_too = __builtin_shufflevector(row[2], row[3], 0, 4, 2, 6);
    const lanes odd_too = __builtin_shufflevector(row[2], row[3], 1, 5, 3, 7);
    words[4 * group] = __builtin_shufflevector(even, even_too, 0, 1, 4, 5);
    words[4 * group + 1] = __builtin_shufflevector(odd, odd_too, 0, 1, 4, 5);
    words[4 * group + 2] = __builtin_shufflevector(even, even_too, 2, 3, 6, 7);
    words[4 * group + 3] = __builtin_shufflevector(odd, odd_too, 2, 3, 6, 7);
  }
}

[[gnu::noinline, gnu::target("avx2")]] void absorb_together(sums& of, const std::byte* stripe, const stripe_turn& now) {
  lanes words[16];
  load_words(words, stripe);
  lanes v[16];
#pragma GCC unroll 8
  for (std::size_t at = 0; at < 8; ++at) {
    load(v[at], of[at]);
    const std::uint64_t word = blake2b::start[at];
    v[8 + at] = lanes{word, word, word, word};
  }
  lanes flags;
  load(flags, now.size);
  v[12] ^= flags;
  load(flags, now.last);
  v[14] ^= flags;
  load(flags, now.node);
  v[15] ^= flags;
#pragma GCC unroll 12
  for (std::size_t round = 0; round < blake2b::rounds; ++round) {
    const auto& order = blake2b::orders[round % 10];
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at)
      mix(v[at], v[4 + at], v[8 + at], v[12 + at], words[order[2 * at]], words[order[2 * at + 1]]);
#pragma GCC unroll 4
    for (std::size_t at = 0; at < 4; ++at) {
      mix(v[at], v[4 + (at + 1) % 4], v[8 + (at + 2) % 4], v[12 + (at + 3) % 4], words[order[8 + 2 * at]],
          words[order[9 + 2 * at]]);
    }
  }
  load(flags, now.active);
#pragma GCC unroll 8
  for (std::size_t at = 0; at < 8; ++at) {
    lanes sum;
    load(sum, of[at]);
    sum ^= (v[at] ^ v[8 + at]) & flags;
    std::memcpy(of[at], &sum, sizeof sum);
  }
}

#else
constexpr auto absorb_together = absorb_one_by_one;
#endif

// The parameters of a node: 64 bytes of digest, four leaves, two levels.
void begin(sums& of, std::uint64_t depth) {
  for (std::size_t at = 0; at < 8; ++at) std::ranges::fill(of[at], blake2b::start[at]);
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    of[0][leaf] ^= blake2bp_size | leaves << 16 | std::uint64_t{2} << 24;
    if (depth == 0) of[1][leaf] ^= leaf;
    of[2][leaf] ^= depth | blake2bp_size << 8;
  }
}

// Where the leaves are in a stripe of a text of so many bytes.
stripe_turn turn_at(std::size_t stripe, std::size_t total) {
  stripe_turn now = {};
  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    const std::size_t from = stripe * stripe_size + leaf * block_size;
    const bool is_active = from < total || stripe == 0;
    const bool is_last = is_active && from + stripe_size >= total;
    now.size[leaf] = stripe * block_size + (from < total ? std::min(block_size, total - from) : 0);
    now.active[leaf] = is_active ? all_ones : 0;
    now.last[leaf] = is_last ? all_ones : 0;
    now.node[leaf] = is_last && leaf + 1 == leaves ? all_ones : 0;
  }
  return now;
}

}  // namespace

void blake2bp(std::span<const std::byte> head, std::span<const std::byte> text, std::span<std::byte, blake2bp_size> out,
              leaves_at_once how) {
  const bool together = how == leaves_at_once::most && platform::has_vectors_of_32();
  const auto absorb = [&](sums& of, const std::byte* stripe, const stripe_turn& now) {
    together ? absorb_together(of, stripe, now) : absorb_one_by_one(of, stripe, now);
  };
  sums of;
  begin(of, 0);
  const std::size_t total = head.size() + text.size();
  std::array<std::byte, stripe_size> room;
  std::size_t taken = 0;  // bytes of text
  for (std::size_t stripe = 0; stripe == 0 || stripe * stripe_size < total; ++stripe) {
    const std::byte* from = text.data() + taken;
    const std::size_t in_front = stripe == 0 ? head.size() : 0;
    const std::size_t count = std::min(stripe_size - in_front, text.size() - taken);
    if (in_front + count < stripe_size || in_front != 0) {
      room.fill(std::byte{0});
      std::ranges::copy(head.first(in_front), room.begin());
      std::ranges::copy(text.subspan(taken, count), room.begin() + static_cast<std::ptrdiff_t>(in_front));
      from = room.data();
    }
    absorb(of, from, turn_at(stripe, total));
    taken += count;
  }

  for (std::size_t leaf = 0; leaf < leaves; ++leaf) {
    for (std::size_t at = 0; at < 8; ++at) store_little(room.data() + leaf * blake2bp_size + 8 * at, of[at][leaf]);
  }
  std::uint64_t root[8][leaves];
  begin(root, 1);
  blake2b::work work;
  std::uint64_t sum[8];
  for (std::size_t at = 0; at < 8; ++at) sum[at] = root[at][0];
  work.absorb(sum, room.data(), block_size, {});
  work.absorb(sum, room.data() + block_size, 2 * block_size, {.block = all_ones, .node = all_ones});
  for (std::size_t at = 0; at < 8; ++at) store_little(out.data() + 8 * at, sum[at]);
  lockfast_wipe(&of, sizeof of);
  lockfast_wipe(room.data(), room.size());
  lockfast_wipe(&work, sizeof work);
  lockfast_wipe(sum, sizeof sum);
}

}  // namespace lockfast::internal
