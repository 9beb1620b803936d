// openssl_algorithms.h - the algorithms of libcrypto that are used here, in a library context of our own.
//
// libcrypto cleans up at exit, as soon as the program or we have used it: its own context goes, and whoever fetches an algorithm
// afterwards faults. Global objects may well be destroyed later than that. What is fetched into a context of ours stays, and
// serves, until the process is gone.
//
// Invariants
//   1. All are fetched at once, and used once: nothing is fetched while something is computed.
//   2. After libcrypto's clean-up nothing is fetched: what was not there by then is missing.
//   3. No lock is held meanwhile, so that a fork at that moment leaves the child nothing to wait for.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_CRYPTO_OPENSSL_ALGORITHMS_H
#define LOCKFAST_BOOJUM_CRYPTO_OPENSSL_ALGORITHMS_H

#include <openssl/err.h>
#include <openssl/types.h>

namespace lockfast::internal {

struct openssl_algorithms {
  OSSL_LIB_CTX* context = nullptr;
  EVP_CIPHER* chacha20 = nullptr;
  EVP_MD* blake2b = nullptr;
  EVP_MAC* poly1305 = nullptr;
};

// Null when libcrypto has no memory, lacks one of them, or has been cleaned up before the first call.
[[nodiscard]] const openssl_algorithms* algorithms();

// From 3.2 on; fetched when it is first asked for. Null as above.
[[nodiscard]] EVP_KDF* argon2id_algorithm();

// Whether libcrypto has been cleaned up.
[[nodiscard]] bool openssl_has_ended();

// Leaves libcrypto's error queue as it was.
class error_mark {
 public:
  error_mark() { ERR_set_mark(); }
  ~error_mark() { ERR_pop_to_mark(); }
  error_mark(const error_mark&) = delete;
  error_mark& operator=(const error_mark&) = delete;
};

}  // namespace lockfast::internal

#endif
