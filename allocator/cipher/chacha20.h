// chacha20.h - the stream cipher ChaCha20 (RFC 8439) and HChaCha20 (draft-irtf-cfrg-xchacha-03, section 2.2).
//
//    state:   | 4 constants | 8 words of key | counter | 3 words of nonce |   16 words of 32 bits
//    block n of the keystream = the state with counter n, after 20 rounds, plus itself
//
// One block is computed in four vectors, a row of the state each. Many blocks are computed at once, a word of the state of
// each block in one vector: 4 blocks in vectors of 16 bytes, 8 where the processor has vectors of 32 bytes.
//
// Invariants
//   1. The running time depends on sizes alone: no branch and no address depends on the key, the nonce or the bytes.
//   2. An object wipes its key at its end. Registers and returned frames are for the caller to wipe: wipe_traces().
//
// Threads: an object belongs to one thread at a time; the functions have no state.
#ifndef LOCKFAST_ALLOCATOR_CIPHER_CHACHA20_H
#define LOCKFAST_ALLOCATOR_CIPHER_CHACHA20_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::internal {

class chacha20 {
 public:
  static constexpr std::size_t key_size = 32;    // bytes, as the next two
  static constexpr std::size_t nonce_size = 12;  // never the same twice under one key
  static constexpr std::size_t block_size = 64;

  chacha20(std::span<const std::byte, key_size> key, std::span<const std::byte, nonce_size> nonce);
  ~chacha20();
  chacha20(const chacha20&) = delete;
  chacha20& operator=(const chacha20&) = delete;

  // The keystream's blocks 0 and 1.
  void first_blocks(std::span<std::byte, 2 * block_size> out) const;

  // Adds the keystream, from its block `counter` on, to size bytes by exclusive or. Requires that from and to begin at the same
  // byte or do not overlap, and that the counter does not wrap: counter + size / block_size < 2^32.
  void add_keystream(std::uint32_t counter, const std::byte* from, std::byte* to, std::size_t size) const;

 private:
  std::uint32_t state_[16];
};

// 32 bytes that are as good as a key of their own. The state stays in vector registers where the processor has any.
void hchacha20(std::span<const std::byte, chacha20::key_size> key, std::span<const std::byte, 16> input,
               std::span<std::byte, chacha20::key_size> out);

// Overwrites the vector registers, and the part of the stack that the functions of this file and of poly1305.h use when the
// caller calls them.
void wipe_traces();

}  // namespace lockfast::internal

#endif
