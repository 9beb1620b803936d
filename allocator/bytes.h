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

// Whether every byte is zero.
inline bool all_zero(const std::byte* address, std::size_t size) {
  const auto word_at = [](const std::byte* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
  };
  const std::byte* const end = address + size;
  std::uint64_t seen = 0;
  for (; end - address >= 32; address += 32) {
    seen |= word_at(address) | word_at(address + 8) | word_at(address + 16) | word_at(address + 24);
  }
  for (; end - address >= 8; address += 8) seen |= word_at(address);
  for (; address != end; ++address) seen |= std::to_integer<std::uint64_t>(*address);
  return seen == 0;
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
