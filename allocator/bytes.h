// bytes.h - what is done to the bytes of a secret: wiped, filled, compared.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_BYTES_H
#define LOCKFAST_ALLOCATOR_BYTES_H

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace lockfast::internal {

// What a fresh secret is filled with, as libsodium fills it: a value that a program can't take for a null pointer or a size.
inline constexpr int fresh_byte = 0xdb;

// Writes size bytes of one value. Sixteen to sixty-four, the size of most keys, are four stores that may overlap, and no call.
inline void fill(void* address, int value, std::size_t size) {
  if (size < 16 || size > 64) {
    std::memset(address, value, size);
    return;
  }
  auto* const bytes = static_cast<std::byte*>(address);
  std::byte block[16];
  std::memset(block, value, sizeof block);
  const std::size_t second = size >= 32 ? 16 : 0;
  std::memcpy(bytes, block, sizeof block);
  std::memcpy(bytes + second, block, sizeof block);
  std::memcpy(bytes + size - sizeof block - second, block, sizeof block);
  std::memcpy(bytes + size - sizeof block, block, sizeof block);
}

// Writes zeros; the empty statement behind it claims to read them, so that no compiler removes the stores.
inline void wipe(void* address, std::size_t size) {
  if (size == 0) return;
  fill(address, 0, size);
  __asm__ volatile("" : : "r"(address) : "memory");
}

// Whether every byte is zero. Sixteen to sixty-four, as in fill, are four loads that may overlap.
inline bool all_zero(const std::byte* address, std::size_t size) {
  using block [[gnu::vector_size(16)]] = std::uint64_t;
  const auto block_at = [](const std::byte* at) {
    block found;
    std::memcpy(&found, at, sizeof found);
    return found;
  };
  if (size < sizeof(block)) {
    std::uint64_t seen = 0;
    for (; size != 0; --size) seen |= std::to_integer<std::uint64_t>(address[size - 1]);
    return seen == 0;
  }
  const std::byte* const end = address + size;
  block seen = {};
  for (; end - address > 64; address += 64) {
    seen |= block_at(address) | block_at(address + 16) | block_at(address + 32) | block_at(address + 48);
  }
  const std::size_t left = static_cast<std::size_t>(end - address);
  if (left >= sizeof(block)) {
    const std::size_t second = left >= 32 ? 16 : 0;
    seen |= block_at(address) | block_at(address + second) | block_at(end - 16 - second);
  }
  // The last block may reach back over bytes that were looked at before: there are sixteen at least.
  seen |= block_at(end - 16);
  return (seen[0] | seen[1]) == 0;
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
