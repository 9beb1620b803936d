// nonce.h - nonces that are never the same twice: not across threads, forks, restarts and copied virtual machines.
//
//    24 bytes of the system's generator   xor   | wall clock | monotonic clock | 0 |
//
// No state is kept in the process, so there is none that a fork or a copy could double. A system that was copied while it
// ran may give both copies the same random bytes until its generator is stirred again; the clocks tell those apart.
//
// Threads: from any thread.
#ifndef LOCKFAST_BOOJUM_CRYPTO_NONCE_H
#define LOCKFAST_BOOJUM_CRYPTO_NONCE_H

#include <array>
#include <cstddef>
#include <expected>
#include <span>

#include "boojum/crypto/cipher.h"

namespace lockfast::internal {

using nonce = std::array<std::byte, nonce_size>;

// Refuses with the system's errno where that gives no random bytes.
[[nodiscard]] std::expected<nonce, int> fresh_nonce();

// Several at once, by one draw: 0, or that errno. For what seals them before it returns to its caller: a system that is copied in
// between seals the same bytes in both copies.
[[nodiscard]] int fresh_nonces(std::span<nonce> out);

}  // namespace lockfast::internal

#endif
