// blake2b.cc - the compression function, and the key as the first block.
#include "boojum/crypto/blake2b.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "boojum/crypto/little_endian.h"
#include "boojum/memory/scratch.h"

namespace lockfast::internal {
namespace {

constexpr std::size_t block_size = 128;
constexpr int rounds = 12;

constexpr std::array<std::uint64_t, 8> start = {0x6a09e667f3bcc908, 0xbb67ae8584caa73b, 0x3c6ef372fe94f82b, 0xa54ff53a5f1d36f1,
                                                0x510e527fade682d1, 0x9b05688c2b3e6c1f, 0x1f83d9abfb41bd6b, 0x5be0cd19137e2179};

constexpr std::uint8_t orders[10][16] = {
    {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, {14, 10, 4, 8, 9, 15, 13, 6, 1, 12, 0, 2, 11, 7, 5, 3},
    {11, 8, 12, 0, 5, 2, 15, 13, 10, 14, 3, 6, 7, 1, 9, 4}, {7, 9, 3, 1, 13, 12, 11, 14, 2, 6, 5, 10, 4, 0, 15, 8},
    {9, 0, 5, 7, 2, 4, 10, 15, 14, 1, 11, 12, 6, 8, 3, 13}, {2, 12, 6, 10, 0, 11, 8, 3, 4, 13, 7, 5, 15, 14, 1, 9},
    {12, 5, 1, 15, 14, 13, 4, 10, 0, 7, 6, 3, 9, 2, 8, 11}, {13, 11, 7, 14, 12, 1, 3, 9, 5, 0, 15, 4, 8, 6, 2, 10},
    {6, 15, 14, 9, 11, 3, 0, 8, 12, 2, 13, 7, 1, 4, 10, 5}, {10, 2, 8, 4, 7, 6, 1, 5, 15, 11, 9, 14, 3, 12, 13, 0}};

// All that follows from a key or a text.
struct state {
  std::array<std::uint64_t, 8> sums;
  std::array<std::uint64_t, 16> work;
  std::array<std::uint64_t, 16> words;
  std::array<std::byte, block_size> block;
  std::uint64_t size;  // bytes so far

  void mix(std::size_t a, std::size_t b, std::size_t c, std::size_t d, std::uint64_t x, std::uint64_t y) {
    work[a] += work[b] + x;
    work[d] = std::rotr(work[d] ^ work[a], 32);
    work[c] += work[d];
    work[b] = std::rotr(work[b] ^ work[c], 24);
    work[a] += work[b] + y;
    work[d] = std::rotr(work[d] ^ work[a], 16);
    work[c] += work[d];
    work[b] = std::rotr(work[b] ^ work[c], 63);
  }

  void absorb(std::size_t count, bool is_last) {
    size += count;
    std::ranges::copy(sums, work.begin());
    std::ranges::copy(start, work.begin() + 8);
    work[12] ^= size;
    if (is_last) work[14] = ~work[14];
    for (std::size_t at = 0; at < words.size(); ++at) words[at] = load_little<std::uint64_t>(block.data() + 8 * at);
    for (int round = 0; round < rounds; ++round) {
      const auto& order = orders[round % 10];
      for (std::size_t at = 0; at < 4; ++at) mix(at, 4 + at, 8 + at, 12 + at, words[order[2 * at]], words[order[2 * at + 1]]);
      for (std::size_t at = 0; at < 4; ++at) {
        mix(at, 4 + (at + 1) % 4, 8 + (at + 2) % 4, 12 + (at + 3) % 4, words[order[8 + 2 * at]], words[order[9 + 2 * at]]);
      }
    }
    for (std::size_t at = 0; at < sums.size(); ++at) sums[at] ^= work[at] ^ work[at + 8];
  }
};

}  // namespace

bool keyed_blake2b(std::span<const std::byte> key, std::span<const std::byte> text, std::span<std::byte> out) {
  const scratch room(sizeof(state));
  if (room.refused()) return false;
  state& in = *reinterpret_cast<state*>(room.data());
  in.sums = start;
  in.sums[0] ^= 0x0101'0000 ^ key.size() << 8 ^ out.size();
  in.size = 0;
  in.block.fill(std::byte{0});
  std::ranges::copy(key, in.block.begin());
  in.absorb(block_size, text.empty());
  while (!text.empty()) {
    const std::size_t taken = std::min(text.size(), block_size);
    in.block.fill(std::byte{0});
    std::ranges::copy(text.first(taken), in.block.begin());
    text = text.subspan(taken);
    in.absorb(taken, text.empty());
  }
  for (std::size_t at = 0; at < in.sums.size(); ++at) store_little(in.block.data() + 8 * at, in.sums[at]);
  std::ranges::copy(std::span(in.block).first(out.size()), out.begin());
  return true;
}

}  // namespace lockfast::internal
