// openssl.cc - OpenSSL's secure heap (OPENSSL_secure_malloc(3), 3.0), by the names that libcrypto itself calls it by.
//
// libcrypto calls these through its table of symbols, so a library before it serves its own keys and numbers too. The heap is there
// from the start and grows: what OpenSSL keeps in the plain heap until CRYPTO_secure_malloc_init, or once its arena is full, is a
// secret here as well.
#include <atomic>
#include <cstddef>
#include <cstdlib>

#include "allocator/base/bytes.h"
#include "compat/plain_or_secret.h"

namespace drop_in = lockfast::drop_in;

extern "C" {

// libcrypto's, where names of the program's libraries find it: not if libcrypto came by dlopen without RTLD_GLOBAL. A block that is no
// secret came from there.
__attribute__((weak)) void CRYPTO_free(void* block, const char* file, int line);
__attribute__((weak)) void CRYPTO_clear_free(void* block, std::size_t size, const char* file, int line);

LOCKFAST_API int CRYPTO_secure_malloc_init(std::size_t size, std::size_t min_size);
LOCKFAST_API int CRYPTO_secure_malloc_initialized();
LOCKFAST_API int CRYPTO_secure_malloc_done();
LOCKFAST_API void* CRYPTO_secure_malloc(std::size_t size, const char* file, int line);
LOCKFAST_API void* CRYPTO_secure_zalloc(std::size_t size, const char* file, int line);
LOCKFAST_API void CRYPTO_secure_free(void* block, const char* file, int line);
LOCKFAST_API void CRYPTO_secure_clear_free(void* block, std::size_t size, const char* file, int line);
LOCKFAST_API int CRYPTO_secure_allocated(const void* block);
LOCKFAST_API std::size_t CRYPTO_secure_used();
LOCKFAST_API std::size_t CRYPTO_secure_actual_size(void* block);
}

namespace {

// What CRYPTO_secure_used says: bytes that were asked for and not freed yet.
constinit std::atomic<std::size_t> used = 0;
// Between CRYPTO_secure_malloc_init and CRYPTO_secure_malloc_done.
constinit std::atomic<bool> began = false;

}  // namespace

extern "C" {

// OpenSSL's answers: 1; 2 if the memory cannot be locked; 0 for sizes that are no powers of two, and for a heap that is there already.
// A smallest block that is no larger than two pointers may have any size: OpenSSL makes it two pointers. The sizes bound no arena here.
int CRYPTO_secure_malloc_init(std::size_t size, std::size_t min_size) {
  const auto is_power = [](std::size_t number) { return number != 0 && (number & (number - 1)) == 0; };
  if (!is_power(size) || (min_size > 2 * sizeof(void*) && !is_power(min_size)) ||
      began.exchange(true, std::memory_order_relaxed))
    return 0;
  void* const probe = drop_in::allocate_secret(1);
  const bool locked = probe != nullptr && drop_in::is_locked(probe);
  if (probe != nullptr) drop_in::free_secret(probe);
  return locked ? 1 : 2;
}
int CRYPTO_secure_malloc_initialized() { return 1; }
// OpenSSL's answer: whether nothing was left.
int CRYPTO_secure_malloc_done() {
  if (used.load(std::memory_order_relaxed) != 0) return 0;
  began.store(false, std::memory_order_relaxed);
  return 1;
}

void* CRYPTO_secure_malloc(std::size_t size, const char* /*file*/, int /*line*/) {
  void* const secret = drop_in::allocate_secret(size);
  if (secret != nullptr) used.fetch_add(size, std::memory_order_relaxed);
  return secret;
}
void* CRYPTO_secure_zalloc(std::size_t size, const char* file, int line) { return CRYPTO_secure_malloc(size, file, line); }

void CRYPTO_secure_free(void* block, const char* file, int line) {
  if (block == nullptr) return;
  if (!drop_in::is_secret(block)) {
    CRYPTO_free != nullptr ? CRYPTO_free(block, file, line) : std::free(block);
    return;
  }
  const std::size_t size = drop_in::size_of_secret(block);
  drop_in::free_secret(block);
  used.fetch_sub(size, std::memory_order_relaxed);
}
void CRYPTO_secure_clear_free(void* block, std::size_t size, const char* file, int line) {
  // A secret is wiped as a whole in any case.
  if (block == nullptr || drop_in::is_secret(block)) return CRYPTO_secure_free(block, file, line);
  if (CRYPTO_clear_free != nullptr) return CRYPTO_clear_free(block, size, file, line);
  lockfast::internal::wipe(block, size);
  std::free(block);
}

int CRYPTO_secure_allocated(const void* block) { return drop_in::is_secret(block) ? 1 : 0; }
std::size_t CRYPTO_secure_used() { return used.load(std::memory_order_relaxed); }
std::size_t CRYPTO_secure_actual_size(void* block) { return drop_in::size_of_secret(block); }
}
