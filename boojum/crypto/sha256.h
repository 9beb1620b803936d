// sha256.h - HMAC-SHA-256 (FIPS 180-4, RFC 2104) whose key and state never leave locked memory.
//
//    key --> | inner state | outer state |      kept, so that one key serves any number of texts
//    begin, add, ..., finish --> 32 bytes       works on a copy of the inner state, then of the outer one
//
// libcrypto's digests copy what they are given into the ordinary heap. This one is for what a key is part of.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_CRYPTO_SHA256_H
#define LOCKFAST_BOOJUM_CRYPTO_SHA256_H

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "boojum/memory/scratch.h"

namespace lockfast::internal {

inline constexpr std::size_t hash_size = 32;  // bytes

class hmac_sha256 {
 public:
  hmac_sha256() : room_(sizeof(states)) {}

  // If so, nothing else may be called.
  [[nodiscard]] bool refused() const { return room_.refused(); }

  // A key of any length. The frames of the stack on which it was worked with are the caller's to wipe: wipe_stack().
  void key(std::span<const std::byte> bytes);

  void begin() { at().now = at().inner; }
  void add(std::span<const std::byte> bytes) { at().now.add(bytes); }
  void finish(std::span<std::byte, hash_size> out);

 private:
  struct digest {
    static constexpr std::size_t block_size = 64;

    void begin();
    void add(std::span<const std::byte> bytes);
    void finish(std::span<std::byte, hash_size> out);
    void absorb_block();

    std::array<std::uint32_t, 8> sums;
    std::array<std::uint32_t, 16> schedule;
    std::array<std::byte, block_size> block;
    std::uint64_t size;  // of what was added, in bytes
  };
  struct states {
    digest inner;
    digest outer;
    digest now;
  };

  [[nodiscard]] states& at() const { return *reinterpret_cast<states*>(room_.data()); }

  scratch room_;
};

}  // namespace lockfast::internal

#endif
