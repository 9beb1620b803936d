// sha256.cc - the compression function, and what HMAC puts around it.
#include "boojum/crypto/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace lockfast::internal {
namespace {

constexpr std::array<std::uint32_t, 8> first_sums = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a,
                                                     0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};

constexpr std::array<std::uint32_t, 64> round_constants = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

// Most significant byte first, as the standard has it.
template <class Number>
void store_big(std::byte* to, Number number) {
  for (std::size_t at = 0; at < sizeof number; ++at) to[at] = static_cast<std::byte>(number >> 8 * (sizeof number - 1 - at));
}

std::uint32_t load_big(const std::byte* from) {
  std::uint32_t number = 0;
  for (int at = 0; at < 4; ++at) number = number << 8 | std::to_integer<std::uint32_t>(from[at]);
  return number;
}

}  // namespace

void hmac_sha256::digest::begin() {
  sums = first_sums;
  size = 0;
}

void hmac_sha256::digest::absorb_block() {
  for (std::size_t at = 0; at < schedule.size(); ++at) schedule[at] = load_big(block.data() + 4 * at);
  auto [a, b, c, d, e, f, g, h] = sums;
  for (std::size_t round = 0; round < round_constants.size(); ++round) {
    std::uint32_t& word = schedule[round % 16];
    if (round >= 16) {
      const std::uint32_t far = schedule[(round + 1) % 16];
      const std::uint32_t near = schedule[(round + 14) % 16];
      word += (std::rotr(far, 7) ^ std::rotr(far, 18) ^ far >> 3) + schedule[(round + 9) % 16] +
              (std::rotr(near, 17) ^ std::rotr(near, 19) ^ near >> 10);
    }
    const std::uint32_t one =
        h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) + ((e & f) ^ (~e & g)) + round_constants[round] + word;
    const std::uint32_t two = (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    h = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  const std::array<std::uint32_t, 8> added = {a, b, c, d, e, f, g, h};
  for (std::size_t at = 0; at < sums.size(); ++at) sums[at] += added[at];
}

void hmac_sha256::digest::add(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const std::size_t used = size % block_size;
    const std::size_t taken = std::min(bytes.size(), block_size - used);
    std::memcpy(block.data() + used, bytes.data(), taken);
    size += taken;
    bytes = bytes.subspan(taken);
    if (size % block_size == 0) absorb_block();
  }
}

void hmac_sha256::digest::finish(std::span<std::byte, hash_size> out) {
  const std::uint64_t bits = size * 8;
  constexpr std::byte mark{0x80};
  add({&mark, 1});
  constexpr std::byte zeros[block_size] = {};
  add(std::span(zeros).first((2 * block_size - sizeof bits - size % block_size) % block_size));
  std::byte counted[sizeof bits];
  store_big(counted, bits);
  add(counted);
  for (std::size_t at = 0; at < sums.size(); ++at) store_big(out.data() + 4 * at, sums[at]);
}

void hmac_sha256::key(std::span<const std::byte> bytes) {
  states& in = at();
  const auto pad_with = [&](digest& start, std::byte value) {
    // The key lies in the block of the third digest, whose first block is never absorbed from there.
    for (std::size_t byte = 0; byte < in.now.block.size(); ++byte) start.block[byte] = in.now.block[byte] ^ value;
    start.begin();
    start.size = digest::block_size;
    start.absorb_block();
  };
  if (bytes.size() > digest::block_size) {
    in.inner.begin();
    in.inner.add(bytes);
    in.now.block.fill(std::byte{0});
    in.inner.finish(std::span(in.now.block).first<hash_size>());
  } else {
    in.now.block.fill(std::byte{0});
    std::ranges::copy(bytes, in.now.block.begin());
  }
  pad_with(in.inner, std::byte{0x36});
  pad_with(in.outer, std::byte{0x5c});
}

void hmac_sha256::finish(std::span<std::byte, hash_size> out) {
  states& in = at();
  in.now.finish(out);
  in.now = in.outer;
  in.now.add(out);
  in.now.finish(out);
}

}  // namespace lockfast::internal
