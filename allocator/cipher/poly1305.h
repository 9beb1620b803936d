// poly1305.h - the one-time authenticator Poly1305 (RFC 8439, section 2.5).
//
//    h = ((block 1 * r + block 2) * r + ...) * r   modulo 2^130 - 5;   tag = (h + s) modulo 2^128;   key = r | s
//
// Numbers of 130 bits are two words of 64 and one of the rest. r has its top bits cleared, so that nothing overflows and 5/4 of
// its upper word is a whole number.
//
// Invariants
//   1. The running time depends on sizes alone.
//   2. An object wipes its key and its sum at its end. Registers and returned frames are for the caller to wipe.
//
// Threads: an object belongs to one thread at a time.
#ifndef LOCKFAST_ALLOCATOR_CIPHER_POLY1305_H
#define LOCKFAST_ALLOCATOR_CIPHER_POLY1305_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::internal {

class poly1305 {
 public:
  static constexpr std::size_t key_size = 32;  // bytes, as the next two
  static constexpr std::size_t tag_size = 16;
  static constexpr std::size_t block_size = 16;

  // Requires a key that serves this one message.
  explicit poly1305(std::span<const std::byte, key_size> key);
  ~poly1305();
  poly1305(const poly1305&) = delete;
  poly1305& operator=(const poly1305&) = delete;

  // Adds bytes, and zeros up to a multiple of a block, as the construction of RFC 8439, section 2.8, wants its parts.
  void add_padded(std::span<const std::byte> bytes);
  // Adds two numbers as one block, the lower first.
  void add(std::uint64_t low, std::uint64_t high);
  // Adds the last bytes of a message that is not padded.
  void add_last(std::span<const std::byte> bytes);

  // Requires that nothing is added afterwards.
  void finish(std::span<std::byte, tag_size> tag);

 private:
  struct number {
    std::uint64_t low;
    std::uint64_t middle;
    std::uint64_t high;
  };

  std::size_t add_blocks(std::span<const std::byte> bytes);

  std::uint64_t r_low_;
  std::uint64_t r_high_;
  std::uint64_t s_low_;
  std::uint64_t s_high_;
  number sum_ = {};
};

}  // namespace lockfast::internal

#endif
