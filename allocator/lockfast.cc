// lockfast.cc - the C interface: arguments checked, errno set, the rest left to the pools and the ledger.
#include <lockfast/lockfast.h>

#include <bit>
#include <cerrno>
#include <cstdint>

#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/explain.h"
#include "allocator/pool.h"
#include "allocator/process.h"
#include "allocator/report.h"

namespace {

using lockfast::internal::account;
using lockfast::internal::breach;
using lockfast::internal::breach_signal;
using lockfast::internal::compartment;
using lockfast::internal::end_process;
using lockfast::internal::ledger;
using lockfast::internal::native_family;
using lockfast::internal::pool;
using lockfast::internal::process;
using lockfast::platform::access;

int result(lockfast::platform::error refusal) {
  if (refusal == 0) return 0;
  errno = refusal;
  return -1;
}

bool access_of(lockfast_access wanted, access& to) {
  switch (wanted) {
    case LOCKFAST_NOACCESS: to = access::none; return true;
    case LOCKFAST_READONLY: to = access::read; return true;
    case LOCKFAST_READWRITE: to = access::read_write; return true;
  }
  return false;
}

// The C name is an opaque handle, not the record's address: that is another compartment's one day.
lockfast_compartment* handle_of(const compartment* made) {
  return made == nullptr ? nullptr : reinterpret_cast<lockfast_compartment*>(made->handle());
}
compartment& of_handle(lockfast_compartment* handle, breach when_stale) {
  compartment* const found = compartment::of_handle(reinterpret_cast<std::uintptr_t>(handle));
  if (found == nullptr) end_process(when_stale, breach_signal::abort);
  return *found;
}

}  // namespace

extern "C" {

void* lockfast_malloc(size_t size) { return pool::allocate<native_family>(size); }

void* lockfast_malloc_isolated(size_t size) { return pool::native().allocate_isolated(size, 1, 0); }

void* lockfast_calloc(size_t count, size_t size) {
  std::size_t product = 0;
  if (__builtin_mul_overflow(count, size, &product)) return pool::native().refuse(ENOMEM);
  return pool::allocate<native_family>(product);
}

void* lockfast_aligned_alloc(size_t alignment, size_t size) {
  if (!std::has_single_bit(alignment)) return pool::native().refuse(EINVAL);
  return pool::native().allocate_anywhere(size, alignment, 0);
}

void* lockfast_realloc(void* secret, size_t size) {
  return secret == nullptr ? lockfast_malloc(size) : pool::native().reallocate(secret, size);
}

void lockfast_free(void* secret) { pool::deallocate<native_family>(secret); }

size_t lockfast_size(const void* secret) {
  lockfast_receipt receipt;
  return pool::describe(secret, account::records, receipt) == 0 ? receipt.size : 0;
}

int lockfast_protect(void* secret, enum lockfast_access wanted) {
  lockfast::platform::access to = {};
  return result(access_of(wanted, to) ? pool::native().protect(secret, to) : EINVAL);
}

int lockfast_check(const void* secret) { return result(pool::check(secret)); }

size_t lockfast_audit(void) { return process::audit(); }

size_t lockfast_trim(void) { return process::seal_and_trim(); }

int lockfast_mlock(void* address, size_t length) {
  return result(process::claim(address, length, ledger::out_of_dumps::always));
}

int lockfast_munlock(void* address, size_t length) { return result(process::disclaim(address, length)); }

void lockfast_wipe(void* address, size_t length) { lockfast::internal::wipe(address, length); }

int lockfast_equal(const void* a, const void* b, size_t length) { return lockfast::internal::equal(a, b, length) ? 1 : 0; }

int lockfast_try_random(void* address, size_t length) {
  const auto refusal = lockfast::platform::try_random({static_cast<std::byte*>(address), length});
  if (refusal != 0) lockfast::internal::wipe(address, length);
  return result(refusal);
}

void lockfast_random(void* address, size_t length) { lockfast::platform::random({static_cast<std::byte*>(address), length}); }

int lockfast_describe(const void* secret, struct lockfast_receipt* receipt) {
  return result(receipt == nullptr ? EINVAL : pool::describe(secret, account::system, *receipt));
}

void lockfast_get_statistics(struct lockfast_statistics* out) { process::statistics(*out); }

int lockfast_report(int fd) { return result(lockfast::internal::report::write(fd)); }

int lockfast_configure(const struct lockfast_options* options) {
  return result(options == nullptr ? EINVAL : process::configure(*options));
}

size_t lockfast_explain(int error, char* text, size_t size) {
  return lockfast::internal::explain(error, {text, text == nullptr ? 0 : size});
}

void lockfast_wipe_all(void) { process::wipe_all(); }

struct lockfast_compartment* lockfast_compartment_create(void) { return handle_of(pool::native().make_compartment()); }

void lockfast_compartment_destroy(struct lockfast_compartment* compartment) {
  if (compartment == nullptr) return;
  of_handle(compartment, breach::double_free).destroy();
}

void* lockfast_compartment_malloc(struct lockfast_compartment* compartment, size_t size) {
  if (compartment == nullptr) return pool::native().refuse(EINVAL);
  return pool::native().allocate_in(of_handle(compartment, breach::stale_compartment), size, 0);
}

int lockfast_compartment_protect(struct lockfast_compartment* compartment, enum lockfast_access wanted) {
  lockfast::platform::access to = {};
  if (compartment == nullptr || !access_of(wanted, to)) return result(EINVAL);
  return result(of_handle(compartment, breach::stale_compartment).protect(to));
}

void lockfast_breach(enum lockfast_breach_reason misuse) {
  breach reason = breach::access_refused;
  switch (misuse) {
    case LOCKFAST_ACCESS_CONFLICT: reason = breach::access_conflict; break;
    case LOCKFAST_STILL_OPEN: reason = breach::still_open; break;
    case LOCKFAST_EMPTY_HANDLE: reason = breach::empty_handle; break;
    case LOCKFAST_ACCESS_REFUSED: break;
  }
  end_process(reason, breach_signal::abort);
}
}
