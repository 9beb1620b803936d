// bytes.h - what is done to the bytes of a secret: wiped, filled, compared.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_BASE_BYTES_H
#define LOCKFAST_ALLOCATOR_BASE_BYTES_H

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "platform/vectors.h"

namespace lockfast::internal {

// What a fresh secret of the drop-in is filled with, as libsodium fills it: a value that a program can't take for a null pointer or a
// size. Every other secret begins as zeros, which its place already holds.
inline constexpr int sodium_fill_byte = 0xdb;

// Sixteen bytes at once, at any address.
using block [[gnu::vector_size(16)]] = std::uint64_t;
inline block block_at(const std::byte* address) {
  block found;
  std::memcpy(&found, address, sizeof found);
  return found;
}
inline void put_block(std::byte* address, block written) { std::memcpy(address, &written, sizeof written); }

// Calls act(address) for two, four, eight or more blocks, which may overlap, that cover size bytes, up to end. Requires 16 bytes or more.
template <class Byte, class Act>
inline void for_blocks(Byte* begin, Byte* end, std::size_t size, Act act) {
  act(begin);
  act(end - 16);
  if (size <= 32) return;
  act(begin + 16);
  act(end - 32);
  if (size <= 64) return;
  act(begin + 32);
  act(begin + 48);
  act(end - 64);
  act(end - 48);
  for (Byte* const last = end - 64; (begin += 64) < last;) {
    act(begin);
    act(begin + 16);
    act(begin + 32);
    act(begin + 48);
  }
}

// Whether few blocks cover a size, that of most keys.
inline bool blocks_cover(std::size_t size) { return size >= 16 && size <= 128; }

// Writes size bytes of one value, without a call where blocks_cover() them.
inline void fill(void* address, int value, std::size_t size) {
  if (!blocks_cover(size)) {
    std::memset(address, value, size);
    return;
  }
  auto* const bytes = static_cast<std::byte*>(address);
  const block written = block{} + 0x0101010101010101U * static_cast<unsigned char>(value);
  for_blocks(bytes, bytes + size, size, [&](std::byte* at) { put_block(at, written); });
}

// Writes zeros; the empty statement behind it claims to read them, so that no compiler removes the stores.
inline void wipe(void* address, std::size_t size) {
  if (size == 0) return;
  fill(address, 0, size);
  __asm__ volatile("" : : "r"(address) : "memory");
}

inline std::uint64_t word_at(const std::byte* address) {
  std::uint64_t word;
  std::memcpy(&word, address, sizeof word);
  return word;
}

inline bool is_zero(block found) { return (found[0] | found[1]) == 0; }

// Whether every byte is zero.
inline bool all_zero(const std::byte* address, std::size_t size) {
  if (size < sizeof(block)) {
    std::uint64_t seen = 0;
    for (; size != 0; --size) seen |= std::to_integer<std::uint64_t>(address[size - 1]);
    return seen == 0;
  }
  if (!blocks_cover(size)) return platform::all_zero(address, size);
  block seen = {};
  for_blocks(address, address + size, size, [&](const std::byte* at) { seen |= block_at(at); });
  return is_zero(seen);
}

// Whether the bytes are equal, in a time that depends on size alone: every byte is read, and the sum of differences is
// hidden from the compiler, which could otherwise leave the loop early.
inline bool equal(const void* a, const void* b, std::size_t size) {
  const auto* const left = static_cast<const volatile unsigned char*>(a);
  const auto* const right = static_cast<const volatile unsigned char*>(b);
  unsigned difference = 0;
  for (std::size_t at = 0; at < size; ++at) difference |= static_cast<unsigned>(left[at] ^ right[at]);
  __asm__ volatile("" : "+r"(difference));
  return difference == 0;
}

}  // namespace lockfast::internal

#endif
