// lockfast.cc - the C interface: arguments checked, errno set, the rest left to the pools and the ledger.
#include <lockfast/lockfast.h>

#include <bit>
#include <cerrno>

#include "allocator/bytes.h"
#include "allocator/pool.h"

namespace {

using lockfast::internal::fresh_byte;
using lockfast::internal::pool;
using lockfast::platform::access;

int result(lockfast::platform::error refusal) {
  if (refusal == 0) return 0;
  errno = refusal;
  return -1;
}

}  // namespace

extern "C" {

void* lockfast_malloc(size_t size) { return lockfast_malloc_isolated(size); }

void* lockfast_malloc_isolated(size_t size) { return pool::native().allocate_isolated(size, 1, fresh_byte); }

void* lockfast_calloc(size_t count, size_t size) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(count, size, &product)) return pool::native().refuse(ENOMEM);
  return pool::native().allocate_isolated(product, 1, 0);
}

void* lockfast_aligned_alloc(size_t alignment, size_t size) {
  if (!std::has_single_bit(alignment)) return pool::native().refuse(EINVAL);
  return pool::native().allocate_isolated(size, alignment, fresh_byte);
}

void* lockfast_realloc(void* secret, size_t size) {
  return secret == nullptr ? lockfast_malloc(size) : pool::native().reallocate(secret, size);
}

void lockfast_free(void* secret) {
  if (secret != nullptr) pool::native().deallocate(secret);
}

size_t lockfast_size(const void* secret) {
  lockfast_receipt receipt;
  return pool::describe(secret, receipt) == 0 ? receipt.size : 0;
}

int lockfast_protect(void* secret, enum lockfast_access wanted) {
  switch (wanted) {
    case LOCKFAST_NOACCESS: return result(pool::native().protect(secret, access::none));
    case LOCKFAST_READONLY: return result(pool::native().protect(secret, access::read));
    case LOCKFAST_READWRITE: return result(pool::native().protect(secret, access::read_write));
  }
  return result(EINVAL);
}

int lockfast_check(const void* secret) { return result(pool::check(secret)); }

size_t lockfast_audit(void) { return pool::audit(); }

size_t lockfast_trim(void) { return pool::trim(); }

int lockfast_mlock(void* address, size_t length) { return result(pool::claim(address, length)); }

int lockfast_munlock(void* address, size_t length) { return result(pool::disclaim(address, length)); }

void lockfast_wipe(void* address, size_t length) { lockfast::internal::wipe(address, length); }

int lockfast_equal(const void* a, const void* b, size_t length) { return lockfast::internal::equal(a, b, length) ? 1 : 0; }

int lockfast_describe(const void* secret, struct lockfast_receipt* receipt) {
  return result(receipt == nullptr ? EINVAL : pool::describe(secret, *receipt));
}

void lockfast_statistics(struct lockfast_statistics* out) { pool::statistics(*out); }

int lockfast_configure(const struct lockfast_options* options) {
  return result(options == nullptr ? EINVAL : pool::configure(*options));
}

void lockfast_wipe_all(void) { pool::wipe_all(); }
}
