// aead_message.h - one message of the construction of RFC 8439, section 2.8, from where its keystream begins.
//
//    head:  | block 0: 32 bytes are the authenticator's key | block 1: added to the first 64 bytes |
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_CIPHER_AEAD_MESSAGE_H
#define LOCKFAST_ALLOCATOR_CIPHER_AEAD_MESSAGE_H

#include <cstddef>
#include <span>

#include "allocator/cipher/aead.h"

namespace lockfast::internal {

class aead_message {
 public:
  static constexpr std::size_t head_size = 2 * chacha20::block_size;

  // Requires that all of them outlive it.
  aead_message(aead::key_view key, aead::short_nonce_view short_nonce, std::span<const std::byte, head_size> head)
      : key_(key), nonce_(short_nonce), head_(head) {}

  // Adds the keystream to size bytes, as chacha20 does.
  void add_keystream(const std::byte* from, std::byte* to, std::size_t size) const {
    const std::size_t part = size < chacha20::block_size ? size : chacha20::block_size;
    for (std::size_t at = 0; at < part; ++at) to[at] = from[at] ^ head_[chacha20::block_size + at];
    if (size > part) chacha20(key_, nonce_).add_keystream(2, from + part, to + part, size - part);
  }

  // The tag of sealed bytes.
  void authenticate(aead::bytes_view associated, aead::bytes_view sealed, std::span<std::byte, aead::tag_size> tag) const {
    poly1305 sum(head_.first<poly1305::key_size>());
    sum.add_padded(associated);
    sum.add_padded(sealed);
    sum.add(associated.size(), sealed.size());
    sum.finish(tag);
  }

 private:
  aead::key_view key_;
  aead::short_nonce_view nonce_;
  std::span<const std::byte, head_size> head_;
};

}  // namespace lockfast::internal

#endif
