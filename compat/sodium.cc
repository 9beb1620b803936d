// sodium.cc - libsodium's secure memory, by its names, on the drop-in pool.
//
// libsodium itself is never called, but for sodium_misuse where the program has it, as libsodium does for a wild pointer: so
// that a misuse handler that the client installed runs.
#include <lockfast/sodium.h>

#include <cerrno>

#include "allocator/breach.h"
#include "allocator/bytes.h"
#include "allocator/pool.h"

extern "C" __attribute__((weak)) void sodium_misuse(void);

namespace {

using lockfast::internal::breach;
using lockfast::internal::pool;
using lockfast::platform::access;

int result(lockfast::platform::error refusal) {
  if (refusal == 0) return 0;
  errno = refusal;
  return -1;
}

void require_ours(const void* secret) {
  if (pool::owns(secret)) return;
  lockfast::internal::announce(breach::foreign_pointer);
  if (sodium_misuse != nullptr) sodium_misuse();
  lockfast::platform::terminate();
}

int protect(void* secret, access to) {
  require_ours(secret);
  return result(pool::drop_in().protect(secret, to));
}

}  // namespace

extern "C" {

void* sodium_malloc(size_t size) { return pool::allocate_for_drop_in(size, lockfast::internal::fresh_byte); }

void* sodium_allocarray(size_t count, size_t size) {
  // libsodium's rule, which refuses a product of exactly SIZE_MAX too.
  if (count > 0 && size >= SIZE_MAX / count) return pool::drop_in().refuse(ENOMEM);
  return sodium_malloc(count * size);
}

void sodium_free(void* secret) {
  if (secret == nullptr) return;
  require_ours(secret);
  pool::deallocate<lockfast::internal::drop_in_family>(secret);
}

int sodium_mprotect_noaccess(void* secret) { return protect(secret, access::none); }
int sodium_mprotect_readonly(void* secret) { return protect(secret, access::read); }
int sodium_mprotect_readwrite(void* secret) { return protect(secret, access::read_write); }

int sodium_mlock(void* address, size_t length) { return result(pool::claim(address, length)); }
int sodium_munlock(void* address, size_t length) { return result(pool::disclaim(address, length)); }

void sodium_memzero(void* address, size_t length) { lockfast::internal::wipe(address, length); }

int sodium_memcmp(const void* a, const void* b, size_t length) { return lockfast::internal::equal(a, b, length) ? 0 : -1; }

// Not inlined: its own frame begins where the caller's ends.
__attribute__((noinline)) void sodium_stackzero(size_t length) { lockfast::internal::wipe(__builtin_alloca(length), length); }
}
