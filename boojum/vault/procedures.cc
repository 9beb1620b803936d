// procedures.cc - a record as a key: of HMAC and of the vault's own cipher in locked memory, of libcrypto's signatures.
#include <lockfast/procedures.hpp>

#include <openssl/evp.h>
#include <openssl/x509.h>

#include <algorithm>
#include <climits>
#include <memory>

#include "boojum/crypto/cipher.h"
#include "boojum/crypto/drawn.h"
#include "boojum/crypto/openssl_algorithms.h"
#include "boojum/crypto/sha256.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/error_note.h"

namespace lockfast {
namespace {

using result = std::expected<void, memory_error>;
using internal::key_size;
using internal::nonce_size;
using internal::refused_because;
using internal::tag_size;

struct free_pkey {
  void operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }
};
struct free_context {
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
};
using owned_pkey = std::unique_ptr<EVP_PKEY, free_pkey>;

const unsigned char* octets(std::span<const std::byte> bytes) { return reinterpret_cast<const unsigned char*>(bytes.data()); }

// Calls use(record) where the record has the size of a key.
template <class Use>
result with_key(const vault& in, vault::id key, Use&& use) {
  return internal::noting([&]() -> result {
    const auto opened = in.open(key);
    if (!opened) return std::unexpected(opened.error());
    if (opened->size() != key_size) {
      return refused_because(memory_error::limit_exceeded, nullptr, "the record has %zu bytes; such a key has %zu",
                             opened->size(), key_size);
    }
    return use(opened->span());
  });
}

// libcrypto takes a copy, which EVP_PKEY_free wipes. From our own context, which no configuration of the program changes.
owned_pkey pkey_of(std::span<const std::byte> record, const char* type) {
  const internal::openssl_algorithms* const all = internal::algorithms();
  if (all == nullptr) return nullptr;
  if (type != nullptr)
    return owned_pkey(EVP_PKEY_new_raw_private_key_ex(all->context, type, nullptr, octets(record), record.size()));
  if (record.size() > LONG_MAX) return nullptr;
  const unsigned char* at = octets(record);
  return owned_pkey(d2i_AutoPrivateKey_ex(nullptr, &at, static_cast<long>(record.size()), all->context, nullptr));
}

}  // namespace

// ---- In locked memory -----------------------------------------------------------------------------------------------------

std::expected<std::array<std::byte, 32>, memory_error> procedures::mac(vault::id key,
                                                                       std::span<const std::byte> message) const {
  return internal::noting([&]() -> std::expected<std::array<std::byte, 32>, memory_error> {
    const auto opened = in_->open(key);
    if (!opened) return std::unexpected(opened.error());
    internal::hmac_sha256 hash;
    if (hash.refused()) return std::unexpected(memory_error::denied);
    std::array<std::byte, internal::hash_size> out;
    hash.key(opened->span());
    hash.begin();
    hash.add(message);
    hash.finish(out);
    internal::wipe_stack();
    return out;
  });
}

std::expected<bool, memory_error> procedures::verify_mac(vault::id key, std::span<const std::byte> message,
                                                         std::span<const std::byte> tag) const {
  auto made = mac(key, message);
  if (!made) return std::unexpected(made.error());
  const bool same = tag.size() == made->size() && lockfast_equal(made->data(), tag.data(), tag.size()) != 0;
  // The tag of a message that somebody else chose would let him forge it.
  lockfast_wipe(made->data(), made->size());
  internal::wipe_stack();
  return same;
}

std::expected<std::vector<std::byte>, memory_error> procedures::seal(vault::id key, std::span<const std::byte> plain,
                                                                     std::span<const std::byte> associated) const {
  return internal::catch_bad_alloc([&]() -> std::expected<std::vector<std::byte>, memory_error> {
    std::vector<std::byte> out(nonce_size + plain.size() + tag_size);
    const auto once = internal::draw_nonce();
    if (!once) return std::unexpected(once.error());
    std::ranges::copy(*once, out.begin());
    const auto done = with_key(*in_, key, [&](std::span<const std::byte> bytes) -> result {
      internal::seal(bytes.first<key_size>(), *once, associated, plain, std::span(out).subspan(nonce_size));
      return {};
    });
    if (!done) return std::unexpected(done.error());
    return out;
  });
}

std::expected<buffer<std::byte>, memory_error> procedures::open_sealed(vault::id key, std::span<const std::byte> sealed,
                                                                       std::span<const std::byte> associated) const {
  if (sealed.size() < nonce_size + tag_size) return std::unexpected(memory_error::damaged);
  const auto size = sealed.size() - nonce_size - tag_size;
  return buffer<std::byte>::filled(size, [&](std::span<std::byte> out) {
    return with_key(*in_, key, [&](std::span<const std::byte> bytes) -> result {
      if (internal::open(bytes.first<key_size>(), sealed.first<nonce_size>(), associated, sealed.subspan(nonce_size), out))
        return {};
      return refused_because(memory_error::damaged, nullptr,
                             "it was changed, or sealed under another key or with other bytes beside it");
    });
  });
}

// ---- By libcrypto ---------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> procedures::use_pkey(vault::id key, const char* type,
                                                       const std::function<result(evp_pkey_st*)>& use) const {
  return internal::noting([&]() -> result {
    const internal::error_mark mark;
    const auto opened = in_->open(key);
    if (!opened) return std::unexpected(opened.error());
    auto made = pkey_of(opened->span(), type);
    internal::wipe_stack();
    if (made == nullptr) {
      return refused_because(memory_error::damaged, nullptr, "libcrypto takes the record for no private key (%s)",
                             type == nullptr ? "DER" : type);
    }
    auto done = use(made.get());
    made = nullptr;
    internal::wipe_stack();
    return done;
  });
}

std::expected<std::array<std::byte, 64>, memory_error> procedures::sign(vault::id key,
                                                                        std::span<const std::byte> message) const {
  std::array<std::byte, 64> out;
  const auto done = with_key(*in_, key, [&](std::span<const std::byte>) {
    return use_pkey(key, "ED25519", [&](EVP_PKEY* pkey) -> result {
      const std::unique_ptr<EVP_MD_CTX, free_context> context(EVP_MD_CTX_new());
      std::size_t size = out.size();
      const bool is_done = context != nullptr &&
                           EVP_DigestSignInit_ex(context.get(), nullptr, nullptr, internal::algorithms()->context, nullptr,
                                                 pkey, nullptr) == 1 &&
                           EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(out.data()), &size, octets(message),
                                          message.size()) == 1;
      if (!is_done) return refused_because(memory_error::denied, nullptr, "libcrypto did not sign");
      return {};
    });
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

std::expected<std::array<std::byte, 32>, memory_error> procedures::public_key(vault::id key) const {
  std::array<std::byte, 32> out;
  const auto done = with_key(*in_, key, [&](std::span<const std::byte>) {
    return use_pkey(key, "ED25519", [&](EVP_PKEY* pkey) -> result {
      std::size_t size = out.size();
      if (EVP_PKEY_get_raw_public_key(pkey, reinterpret_cast<unsigned char*>(out.data()), &size) == 1) return {};
      return refused_because(memory_error::denied, nullptr, "libcrypto gave no public key");
    });
  });
  if (!done) return std::unexpected(done.error());
  return out;
}

}  // namespace lockfast
