// passphrase_access.h - what a vault may do with a passphrase, and users may not: a use that does not keep it from expiring, and
// looking at it after its owner has let it go.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_PASSPHRASE_ACCESS_H
#define LOCKFAST_BOOJUM_CRYPTO_PASSPHRASE_ACCESS_H

#include <lockfast/passphrase.hpp>

#include <cstddef>
#include <expected>
#include <functional>
#include <memory>
#include <span>

namespace lockfast::internal {

// The difference between what a user does and what a program does by itself.
enum class use_kind : unsigned char { keeps_alive, unnoticed };

class passphrase_access {
 public:
  [[nodiscard]] static std::shared_ptr<passphrase_state> state(const passphrase& of) { return of.state_; }
  // Expires it where that is due. A passphrase that was cleared, or is destroyed, has not expired.
  [[nodiscard]] static bool has_expired(passphrase_state& of);
  // Whether it ever will.
  [[nodiscard]] static bool expires(const passphrase& of);

  // As the two of passphrase.
  [[nodiscard]] static std::expected<buffer<std::byte>, memory_error> derive(const passphrase& from,
                                                                             std::span<const std::byte> salt, scrypt_cost cost,
                                                                             std::size_t size, use_kind kind);
  [[nodiscard]] static std::expected<buffer<std::byte>, memory_error> derive_argon2id(const passphrase& from,
                                                                                      std::span<const std::byte> salt,
                                                                                      argon2id_cost cost, std::size_t size,
                                                                                      use_kind kind);

 private:
  [[nodiscard]] static std::expected<void, memory_error> use(const passphrase& of, use_kind kind,
                                                             const std::function<void(std::span<const std::byte>)>& with);
  [[nodiscard]] static std::expected<void, memory_error> absorb(const passphrase& of, std::span<const std::byte> salt,
                                                                std::span<std::byte, 64> room, use_kind kind);
};

}  // namespace lockfast::internal

#endif
