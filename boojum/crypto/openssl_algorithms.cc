// openssl_algorithms.cc - one context, and what is fetched into it.
#include "boojum/crypto/openssl_algorithms.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <new>

namespace lockfast::internal {
namespace {

std::atomic<const openssl_algorithms*> fetched = nullptr;
std::atomic<EVP_KDF*> fetched_argon2id = nullptr;

void free_all(const openssl_algorithms& all) {
  EVP_MAC_free(all.poly1305);
  EVP_MD_free(all.blake2b);
  EVP_CIPHER_free(all.chacha20);
  OSSL_LIB_CTX_free(all.context);
}

// Our own context reads no openssl.cnf: which provider serves it is said here.
openssl_algorithms* fetch_all() {
  openssl_algorithms all;
  all.context = OSSL_LIB_CTX_new();
  if (all.context != nullptr && OSSL_PROVIDER_load(all.context, "default") != nullptr) {
    all.chacha20 = EVP_CIPHER_fetch(all.context, "ChaCha20", nullptr);
    all.blake2b = EVP_MD_fetch(all.context, "BLAKE2B-512", nullptr);
    all.poly1305 = EVP_MAC_fetch(all.context, "POLY1305", nullptr);
  }
  if (all.chacha20 != nullptr && all.blake2b != nullptr && all.poly1305 != nullptr) {
    auto* const made = new (std::nothrow) openssl_algorithms(all);
    if (made != nullptr) return made;
  }
  free_all(all);
  return nullptr;
}

// Has Argon2id fetch what it is made of, which then comes from the context's cache.
bool rehearse(EVP_KDF* argon2id) {
  std::array<unsigned char, 16> out;
  std::uint32_t memory = 8;
  std::uint32_t one = 1;
  char word[] = "rehearsal";
  const std::array parameters = {OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_PASSWORD, word, sizeof word),
                                 OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_SALT, word, sizeof word),
                                 OSSL_PARAM_construct_uint32("memcost", &memory),
                                 OSSL_PARAM_construct_uint32("iter", &one),
                                 OSSL_PARAM_construct_uint32("lanes", &one),
                                 OSSL_PARAM_construct_end()};
  EVP_KDF_CTX* const context = EVP_KDF_CTX_new(argon2id);
  const bool done = context != nullptr && EVP_KDF_derive(context, out.data(), out.size(), parameters.data()) == 1;
  EVP_KDF_CTX_free(context);
  return done;
}

EVP_KDF* fetch_argon2id(OSSL_LIB_CTX* from) {
  EVP_KDF* const made = EVP_KDF_fetch(from, "ARGON2ID", nullptr);
  if (made == nullptr || rehearse(made)) return made;
  EVP_KDF_free(made);
  return nullptr;
}

}  // namespace

// Its initialisation does nothing where it was made, and refuses from the clean-up on.
bool openssl_has_ended() { return OPENSSL_init_crypto(0, nullptr) != 1; }

const openssl_algorithms* algorithms() {
  const openssl_algorithms* known = fetched.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  const error_mark mark;
  if (openssl_has_ended()) return nullptr;
  openssl_algorithms* const mine = fetch_all();
  if (mine == nullptr) return nullptr;
  if (!fetched.compare_exchange_strong(known, mine, std::memory_order_acq_rel)) {
    free_all(*mine);
    delete mine;
    return known;
  }
  return mine;
}

EVP_KDF* argon2id_algorithm() {
  const openssl_algorithms* const all = algorithms();
  if (all == nullptr) return nullptr;
  EVP_KDF* known = fetched_argon2id.load(std::memory_order_acquire);
  if (known != nullptr) return known;
  const error_mark mark;
  if (openssl_has_ended()) return nullptr;
  EVP_KDF* const mine = fetch_argon2id(all->context);
  if (mine == nullptr || fetched_argon2id.compare_exchange_strong(known, mine, std::memory_order_acq_rel)) return mine;
  EVP_KDF_free(mine);
  return known;
}

}  // namespace lockfast::internal
