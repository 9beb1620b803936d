// cipher.h - XChaCha20-Poly1305 (draft-irtf-cfrg-xchacha-03): seals bytes under a key and a nonce, and opens them again.
//
//    key, nonce[0..16)  --HChaCha20-->  subkey        the allocator's, in locked memory
//    subkey, nonce[16..24)  --ChaCha20-Poly1305 (RFC 8439)-->  | as many bytes as the plain ones | tag |       libcrypto's
//
// A cipher is made for one call and what that call seals and opens, be it one record or a million; it keeps no key between
// two of them. libcrypto sees a subkey, which serves one nonce, and never the key.
//
// Invariants
//   1. A subkey is wiped, in our memory and in libcrypto's, before the cipher's life ends; so are the frames of the stack
//      on which it was worked with.
//   2. What does not open leaves its output wiped.
//   3. libcrypto's error queue is as it was.
//
// Threads: a cipher belongs to one thread at a time.
#ifndef LOCKFAST_BOOJUM_CIPHER_H
#define LOCKFAST_BOOJUM_CIPHER_H

#include <openssl/types.h>

#include <cstddef>
#include <span>

#include "allocator/chacha20.h"
#include "boojum/scratch.h"

namespace lockfast::internal {

inline constexpr std::size_t key_size = 32;    // bytes, as the next two
inline constexpr std::size_t nonce_size = 24;  // never the same twice under one key: nonce.h
inline constexpr std::size_t tag_size = 16;

using key_view = std::span<const std::byte, key_size>;
using nonce_view = std::span<const std::byte, nonce_size>;

enum class [[nodiscard]] cipher_result : unsigned char {
  done,
  damaged,  // not sealed with this key, nonce and associated bytes, or changed since
  refused,  // no memory
};

class cipher {
 public:
  cipher();
  ~cipher();
  cipher(const cipher&) = delete;
  cipher& operator=(const cipher&) = delete;

  // Seals plain into sealed. Requires sealed.size() == plain.size() + tag_size; the two begin at the same byte or do not
  // overlap. A refusal leaves sealed wiped.
  cipher_result seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
                     std::span<std::byte> sealed);

  // Opens sealed into plain; the rest is as for seal.
  cipher_result open(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> sealed,
                     std::span<std::byte> plain);

  // The same with the tag apart from the other sealed bytes, of which there are as many as plain ones.
  cipher_result seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
                     std::span<std::byte> sealed, std::span<std::byte, tag_size> tag);
  cipher_result open(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> sealed,
                     std::span<const std::byte, tag_size> tag, std::span<std::byte> plain);

 private:
  [[nodiscard]] bool begin(key_view key, nonce_view nonce, std::span<const std::byte> associated, int direction);
  [[nodiscard]] bool run(std::span<const std::byte> from, std::byte* to);

  EVP_CIPHER_CTX* context_;
  scratch subkey_;
  bool keyed_ = false;
};

// The same, each with a cipher of its own.
cipher_result seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
                   std::span<std::byte> sealed);
cipher_result open(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> sealed,
                   std::span<std::byte> plain);

// Overwrites the part of the stack that calls made by the caller have used, as far as it is likely to have been touched.
void wipe_stack();

}  // namespace lockfast::internal

#endif
