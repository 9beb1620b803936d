// procedures.hpp - what is done with a record of a vault without its bytes passing through the caller.
//
//    auto master = records.insert_random(32);
//    auto child = records.derive(*master, {.info = bytes_of("mail")}, 32);       // a new record, by HKDF
//    auto tag = procedures(records).mac(*child, message);
//    auto sealed = procedures(records).seal(*child, plain, header);
//    auto signature = procedures(records).sign(*signing_key, message);           // Ed25519, by libcrypto
//
// mac, seal and open_sealed are computed in locked memory. sign, public_key and use_pkey give the record to libcrypto for the length of
// the call, which keeps it in the ordinary heap, and wipes it there, unless its allocations are routed into locked memory.
//
// What is not here a program does with vault::use and vault::derive_by, which take functions of its own.
//
// Every function refuses as vault::open does; denied where libcrypto refuses.
//
// Threads: as a vault's functions.
#ifndef LOCKFAST_PROCEDURES_HPP
#define LOCKFAST_PROCEDURES_HPP

#include <lockfast/vault.hpp>

#include <array>
#include <cstddef>
#include <expected>
#include <functional>
#include <span>
#include <vector>

struct evp_pkey_st;  // libcrypto's EVP_PKEY

namespace lockfast {
inline namespace LOCKFAST_STANDARD_LIBRARY {

// What is done with the records of a vault, which must outlive it.
class LOCKFAST_API procedures {
 public:
  // Requires that the vault outlives this.
  explicit procedures(const vault& in) : in_(&in) {}

  // HMAC-SHA-256 under a record.
  [[nodiscard]] std::expected<std::array<std::byte, 32>, memory_error> mac(vault::id key,
                                                                           std::span<const std::byte> message) const;
  // Whether a tag is that of a message, in constant time.
  [[nodiscard]] std::expected<bool, memory_error> verify_mac(vault::id key, std::span<const std::byte> message,
                                                             std::span<const std::byte> tag) const;

  // XChaCha20-Poly1305 under a record of 32 bytes: nonce, 24, sealed bytes, tag, 16. Refusals: limit_exceeded - a record of
  // another size.
  [[nodiscard]] std::expected<std::vector<std::byte>, memory_error> seal(vault::id key, std::span<const std::byte> plain,
                                                                         std::span<const std::byte> associated = {}) const;
  // Opens what seal gave. Refusals: damaged - it was changed, or sealed under another key or with other associated bytes;
  // zero_size - nothing was sealed.
  [[nodiscard]] std::expected<buffer<std::byte>, memory_error> open_sealed(vault::id key, std::span<const std::byte> sealed,
                                                                           std::span<const std::byte> associated = {}) const;

  // Ed25519 (RFC 8032) by a record of 32 bytes. Refusals: limit_exceeded - a record of another size.
  [[nodiscard]] std::expected<std::array<std::byte, 64>, memory_error> sign(vault::id key,
                                                                            std::span<const std::byte> message) const;
  // The public key that belongs to it. Refuses as sign does.
  [[nodiscard]] std::expected<std::array<std::byte, 32>, memory_error> public_key(vault::id key) const;

  // Calls use with a record as a private key of libcrypto: the raw bytes of one, where type names an algorithm that has such keys
  // ("ED25519", "X25519", "ED448", "X448"), or one in DER where it is null. What use gives is passed on. The key is freed afterwards:
  // use must not keep it, unless it counts a reference of its own. Refusals: damaged - the record is no such key.
  [[nodiscard]] std::expected<void, memory_error> use_pkey(
      vault::id key, const char* type, const std::function<std::expected<void, memory_error>(evp_pkey_st*)>& use) const;

 private:
  const vault* in_;
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
