// drawn.h - random bytes for keys, or a refusal: a process may lose the system's generator, in a sandbox that it enters.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_DRAWN_H
#define LOCKFAST_BOOJUM_CRYPTO_DRAWN_H

#include <lockfast/memory_error.hpp>

#include <cstddef>
#include <expected>
#include <span>

#include "boojum/crypto/nonce.h"

namespace lockfast::internal {

// Fills out with bytes of the system's generator. Refuses: denied - it gives none, which is noted; then out holds anything.
[[nodiscard]] std::expected<void, memory_error> draw_bytes(std::span<std::byte> out);
// The same of fresh_nonce() and fresh_nonces().
[[nodiscard]] std::expected<nonce, memory_error> draw_nonce();
[[nodiscard]] std::expected<void, memory_error> draw_nonces(std::span<nonce> out);

}  // namespace lockfast::internal

#endif
