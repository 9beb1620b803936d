// gcrypt.cc - libgcrypt's allocation functions (gcry_set_allocation_handler, 1.10): secure memory is secrets, the rest malloc's.
#include <lockfast/gcrypt.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>

#include "compat/plain_or_secret.h"

namespace drop_in = lockfast::drop_in;

extern "C" {

// libgcrypt's own, where the program has it.
__attribute__((weak)) void gcry_set_allocation_handler(void* (*allocate)(std::size_t), void* (*allocate_secure)(std::size_t),
                                                       int (*is_secure)(const void*), void* (*reallocate)(void*, std::size_t),
                                                       void (*release)(void*));
__attribute__((weak)) unsigned int gcry_control(int command, ...);
}

namespace {

// gcrypt.h has them in an enum.
constexpr int initialization_finished = 39;
constexpr int fips_mode = 55;

void* refuse(int error) {
  errno = error;
  return nullptr;
}

// As libgcrypt's own: no block of size 0.
void* allocate(std::size_t size) { return size != 0 ? std::malloc(size) : refuse(EINVAL); }
void* allocate_secure(std::size_t size) { return size != 0 ? drop_in::allocate_secret(size) : refuse(EINVAL); }

int is_secure(const void* block) { return drop_in::is_secret(block) ? 1 : 0; }

void* reallocate(void* block, std::size_t size) {
  return drop_in::is_secret(block) ? lockfast::internal::pool::drop_in().reallocate(block, size) : std::realloc(block, size);
}

void release(void* block) {
  if (drop_in::is_secret(block)) {
    drop_in::free_secret(block);
  } else {
    std::free(block);
  }
}

int refused(int error) {
  errno = error;
  return -1;
}

constinit bool installed = false;

int install() {
  if (installed) return 0;
  if (gcry_set_allocation_handler == nullptr || gcry_control == nullptr) return refused(ENOSYS);
  if (gcry_control(initialization_finished, 0) != 0) return refused(EBUSY);
  gcry_set_allocation_handler(allocate, allocate_secure, is_secure, reallocate, release);
  if (gcry_control(fips_mode, 0) != 0) return refused(ENOTSUP);
  installed = true;
  return 0;
}

}  // namespace

extern "C" int lockfast_gcrypt_install(void) { return install(); }
