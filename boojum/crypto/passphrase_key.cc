// passphrase_key.cc - keys made of a passphrase.
//
//    k_0 = BLAKE2b-512(label | salt)[0..32)
//    k_1 = HChaCha20(k_0, |phrase|);  k_i+1 = HChaCha20(k_i, 16 bytes of the phrase, zeros behind the last)
//    scrypt:    key = scrypt(password = k_last, salt, N, r, p)
//    Argon2id:  stretched = Argon2id(password = HChaCha20(k_last, label), salt, ...)
//               key       = HMAC-SHA-256(k_last, label | number of the part, 4 bytes | stretched), part after part
//
// scrypt is ours, and k_last stays in locked memory. Argon2id is libcrypto's, which keeps its password in the ordinary heap for
// as long as it stretches: that password and what comes of it are no key without k_last.
#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <lockfast/passphrase.hpp>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string_view>

#include "boojum/crypto/cipher.h"
#include "boojum/memory/error_note.h"
#include "boojum/crypto/little_endian.h"
#include "boojum/crypto/openssl_algorithms.h"
#include "boojum/memory/scratch.h"
#include "boojum/crypto/scrypt.h"
#include "boojum/crypto/sha256.h"
#include "boojum/crypto/passphrase_access.h"

namespace lockfast {
namespace internal {
namespace {

constexpr std::string_view salt_label = "lockfast passphrase 1";
constexpr std::string_view argon2id_label = "lockfast argon 1";  // 16 bytes, for HChaCha20
constexpr std::size_t max_key = 1024;                            // bytes

// k_0: what the salt gives, so that k_last serves this salt alone.
bool start_from(std::span<const std::byte> salt, std::span<std::byte, 64> out) {
  const error_mark mark;
  const openssl_algorithms* const all = algorithms();
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  const bool done = all != nullptr && context != nullptr && EVP_DigestInit_ex2(context, all->blake2b, nullptr) == 1 &&
                    EVP_DigestUpdate(context, salt_label.data(), salt_label.size()) == 1 &&
                    EVP_DigestUpdate(context, salt.data(), salt.size()) == 1 &&
                    EVP_DigestFinal_ex(context, reinterpret_cast<unsigned char*>(out.data()), nullptr) == 1;
  EVP_MD_CTX_free(context);
  return done;
}

// Absorbs a passphrase into the key at the start of room, whose last 16 bytes are worked in. Requires 64 bytes of room.
void absorb(std::span<const std::byte> phrase, std::span<std::byte, 64> room) {
  const auto key = room.first<32>();
  const auto block = room.last<16>();
  lockfast_wipe(block.data(), block.size());
  store_little(block.data(), std::uint64_t{phrase.size()});
  hchacha20(key, block, key);
  while (!phrase.empty()) {
    const std::size_t length = std::min(phrase.size(), block.size());
    lockfast_wipe(block.data(), block.size());
    std::memcpy(block.data(), phrase.data(), length);
    hchacha20(key, block, key);
    phrase = phrase.subspan(length);
  }
}

// The names of its parameters are those of libcrypto 3.2, which the headers of an older one do not have.
bool run_argon2id(std::span<const std::byte> password, std::span<const std::byte> salt, argon2id_cost cost,
                  std::span<std::byte, hash_size> out) {
  const error_mark mark;
  EVP_KDF* const algorithm = argon2id_algorithm();
  EVP_KDF_CTX* const context = algorithm == nullptr ? nullptr : EVP_KDF_CTX_new(algorithm);
  const auto octets = [](const char* name, std::span<const std::byte> bytes) {
    return OSSL_PARAM_construct_octet_string(name, const_cast<std::byte*>(bytes.data()), bytes.size());
  };
  const std::array parameters = {octets(OSSL_KDF_PARAM_PASSWORD, password),
                                 octets(OSSL_KDF_PARAM_SALT, salt),
                                 OSSL_PARAM_construct_uint32("memcost", &cost.memory),
                                 OSSL_PARAM_construct_uint32("iter", &cost.passes),
                                 OSSL_PARAM_construct_uint32("lanes", &cost.lanes),
                                 OSSL_PARAM_construct_end()};
  const bool done = context != nullptr &&
                    EVP_KDF_derive(context, reinterpret_cast<unsigned char*>(out.data()), out.size(), parameters.data()) == 1;
  EVP_KDF_CTX_free(context);
  return done;
}

// Makes out of k_last, which is the first 32 bytes of room, and what was stretched.
bool expand(std::span<std::byte, 64> room, std::span<std::byte> out) {
  hmac_sha256 hash;
  if (hash.refused()) return false;
  hash.key(room.first<32>());
  const auto stretched = room.last<32>();
  const scratch part(hash_size);
  if (part.refused()) return false;
  for (std::uint32_t number = 1; !out.empty(); ++number) {
    std::array<std::byte, sizeof number> counted;
    store_little(counted.data(), number);
    hash.begin();
    hash.add(std::as_bytes(std::span(argon2id_label)));
    hash.add(counted);
    hash.add(stretched);
    hash.finish(part.bytes().first<hash_size>());
    const std::size_t taken = std::min(out.size(), hash_size);
    std::memcpy(out.data(), part.data(), taken);
    out = out.subspan(taken);
  }
  return true;
}

}  // namespace
}  // namespace internal

namespace {

using result = std::expected<void, memory_error>;
using key_or_refusal = std::expected<buffer<std::byte>, memory_error>;

// That the stretching, which fills so many KiB, could not be done.
std::unexpected<memory_error> refused_stretching(std::uint64_t kibibytes) {
  char what[112];
  (void)std::snprintf(what, sizeof what, "cannot stretch the passphrase in %llu KiB of memory (a lower cost takes less)",
                      static_cast<unsigned long long>(kibibytes));
  return internal::refused_by_system(ENOMEM, what, nullptr, memory_error::denied);
}

std::unexpected<memory_error> refused_cost(std::size_t size, const char* ranges) {
  if (size > internal::max_key) {
    return internal::refused_because(memory_error::limit_exceeded, nullptr, "a derived key has at most %llu bytes",
                                     static_cast<unsigned long long>(internal::max_key));
  }
  return internal::refused_because(memory_error::limit_exceeded, nullptr, "the cost of the key is out of its range: %s",
                                   ranges);
}

}  // namespace

// k_last, at the start of room.
result internal::passphrase_access::absorb(const passphrase& of, std::span<const std::byte> salt, std::span<std::byte, 64> room,
                                           use_kind kind) {
  if (internal::algorithms() == nullptr) {
    return internal::refused_because(
        memory_error::unsupported, nullptr,
        "libcrypto has no ChaCha20, BLAKE2b or Poly1305, or the program has cleaned it up: use OpenSSL 3.0 or "
        "newer");
  }
  if (!internal::start_from(salt, room)) return std::unexpected(memory_error::denied);
  auto absorbed = use(of, kind, [&](std::span<const std::byte> phrase) { internal::absorb(phrase, room); });
  internal::wipe_stack();
  if (absorbed) return absorbed;
  switch (absorbed.error()) {
    case memory_error::wiped:
      return internal::refused_because(memory_error::wiped, nullptr,
                                       "the passphrase was cleared or moved away: ask for it again");
    case memory_error::expired:
      return internal::refused_because(memory_error::expired, nullptr,
                                       "the passphrase was not used for too long and was wiped: ask for it again");
    default: return absorbed;
  }
}

key_or_refusal internal::passphrase_access::derive(const passphrase& from, std::span<const std::byte> salt, scrypt_cost cost,
                                                   std::size_t size, use_kind kind) {
  return internal::noting([&]() -> key_or_refusal {
    if (cost.work < 1 || cost.work > 24 || cost.block < 1 || cost.block > 64 || cost.work >= 16 * cost.block ||
        cost.parallel < 1 || cost.parallel > 64 || size > internal::max_key) {
      return refused_cost(size, "work 1 to 24 and less than 16 * block, block 1 to 64, parallel 1 to 64");
    }
    const internal::scratch room(64);
    if (room.refused()) return std::unexpected(memory_error::denied);
    const std::span<std::byte, 64> work(room.bytes().first<64>());
    if (auto absorbed = absorb(from, salt, work, kind); !absorbed) return std::unexpected(absorbed.error());
    return buffer<std::byte>::filled(size, [&](std::span<std::byte> out) -> result {
      if (!internal::scrypt(work.first<32>(), salt, cost.work, cost.block, cost.parallel, out)) {
        return refused_stretching(std::uint64_t{cost.block} << cost.work >> 3);
      }
      return {};
    });
  });
}

key_or_refusal internal::passphrase_access::derive_argon2id(const passphrase& from, std::span<const std::byte> salt,
                                                            argon2id_cost cost, std::size_t size, use_kind kind) {
  return internal::noting([&]() -> key_or_refusal {
    if (cost.lanes < 1 || cost.lanes > 64 || cost.passes < 1 || cost.passes > 64 || cost.memory < 8 * cost.lanes ||
        cost.memory > 1U << 24 || size > internal::max_key) {
      return refused_cost(size, "lanes 1 to 64, passes 1 to 64, memory 8 * lanes to 2^24 KiB");
    }
    if (internal::argon2id_algorithm() == nullptr) {
      return internal::refused_because(memory_error::unsupported, nullptr,
                                       "this libcrypto has no Argon2id: use OpenSSL 3.2 or newer, or scrypt");
    }
    const internal::scratch room(64);
    if (room.refused()) return std::unexpected(memory_error::denied);
    const std::span<std::byte, 64> work(room.bytes().first<64>());
    if (auto absorbed = absorb(from, salt, work, kind); !absorbed) return std::unexpected(absorbed.error());
    return buffer<std::byte>::filled(size, [&](std::span<std::byte> out) -> result {
      const auto password = work.last<32>();
      internal::hchacha20(work.first<32>(), std::as_bytes(std::span(internal::argon2id_label)).first<16>(), password);
      const bool done = internal::run_argon2id(password, salt, cost, password) && internal::expand(work, out);
      internal::wipe_stack();
      if (!done) return refused_stretching(cost.memory);
      return {};
    });
  });
}

key_or_refusal passphrase::derive(std::span<const std::byte> salt, scrypt_cost cost, std::size_t size) const {
  return internal::passphrase_access::derive(*this, salt, cost, size, internal::use_kind::keeps_alive);
}

key_or_refusal passphrase::derive_argon2id(std::span<const std::byte> salt, argon2id_cost cost, std::size_t size) const {
  return internal::passphrase_access::derive_argon2id(*this, salt, cost, size, internal::use_kind::keeps_alive);
}

}  // namespace lockfast
