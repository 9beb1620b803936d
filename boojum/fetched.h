// fetched.h - an algorithm of libcrypto, fetched once and kept for the life of the process.
//
// No lock is held while it is fetched, so that a fork at that moment leaves the child nothing to wait for.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_FETCHED_H
#define LOCKFAST_BOOJUM_FETCHED_H

#include <openssl/err.h>
#include <openssl/types.h>

#include <atomic>

namespace lockfast::internal {

template <class Algorithm, Algorithm* Fetch(OSSL_LIB_CTX*, const char*, const char*), void Free(Algorithm*)>
class fetched {
 public:
  explicit constexpr fetched(const char* name) : name_(name) {}

  // Null when libcrypto has no memory, or no such algorithm.
  [[nodiscard]] Algorithm* algorithm() {
    Algorithm* known = known_.load(std::memory_order_acquire);
    if (known != nullptr) return known;
    Algorithm* const mine = Fetch(nullptr, name_, nullptr);
    if (mine == nullptr || known_.compare_exchange_strong(known, mine, std::memory_order_acq_rel)) return mine;
    Free(mine);
    return known;
  }

 private:
  const char* name_;
  std::atomic<Algorithm*> known_ = nullptr;
};

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
