// locking.h - from a passphrase to the key that unlocks a vault.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_VAULT_LOCKING_H
#define LOCKFAST_BOOJUM_VAULT_LOCKING_H

#include <lockfast/vault.hpp>

#include <cstddef>
#include <expected>
#include <span>

#include "boojum/crypto/passphrase_access.h"
#include "boojum/vault/header.h"
#include "boojum/vault/vault_lock.h"

namespace lockfast::internal {

// A key of a passphrase by the function that cost names.
[[nodiscard]] std::expected<buffer<std::byte>, memory_error> stretch(const passphrase& phrase, std::span<const std::byte> salt,
                                                                     const stretching& cost, use_kind kind);

// The key that unlocks, of what the passphrase was stretched to. Refuses: denied.
[[nodiscard]] std::expected<void, memory_error> make_lock_key(lock_key& key, std::span<const std::byte> stretched,
                                                              std::span<const std::byte, 32> salt, const stretching& cost);

[[nodiscard]] std::expected<void, memory_error> lock_with_key(vault_state& of, const lock_key& key, const passphrase& phrase,
                                                              const vault::lock_options& chosen);

}  // namespace lockfast::internal

#endif
