// cipher_batch.h - several messages under one key, sealed or opened together: a vault's records.
//
//    key --HChaCha20, all nonces at once--> subkeys --ChaCha20, all at once--> | block 0 | block 1 | of each message's keystream
//
// A short message spends most of its time on these three blocks. In the lanes of vectors eight messages take little longer than
// one: 8 at once where the processor has vectors of 32 bytes, otherwise 4.
//
// Invariants: those of cipher.h.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_CIPHER_BATCH_H
#define LOCKFAST_BOOJUM_CRYPTO_CIPHER_BATCH_H

#include <array>
#include <cstddef>
#include <span>

#include "boojum/crypto/cipher.h"
#include "boojum/crypto/nonce.h"

namespace lockfast::internal {

// How many messages are worth handing over together; more are taken this many at a time.
inline constexpr std::size_t cipher_batch_size = 8;

// One of the messages. Everything is the caller's.
struct batched_message {
  const nonce* once = nullptr;
  std::span<const std::byte> associated;
  std::span<const std::byte> from;
  std::byte* to = nullptr;                         // as many bytes; the two begin at the same byte or do not overlap
  std::array<std::byte, tag_size>* tag = nullptr;  // made by sealing, verified by opening
};

// Seals each, with its tag.
void seal_together(key_view key, std::span<const batched_message> all);

// Opens each; whether all of them could be opened. What does not open leaves its output wiped, as cipher.h's open does.
[[nodiscard]] bool open_together(key_view key, std::span<const batched_message> all);

}  // namespace lockfast::internal

#endif
