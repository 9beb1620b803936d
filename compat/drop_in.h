// drop_in.h - what libsodium's functions for secure memory do here; the files that include it give them their names.
//
// libsodium itself is never called, but for sodium_misuse where the program has it, as libsodium does for a wild pointer: so
// that a misuse handler that the client installed runs.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_COMPAT_DROP_IN_H
#define LOCKFAST_COMPAT_DROP_IN_H

#include <cerrno>
#include <cstddef>
#include <cstdint>

#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/pool.h"
#include "allocator/process.h"

extern "C" __attribute__((weak)) void sodium_misuse(void);

namespace lockfast::drop_in {

using internal::pool;
using internal::process;
using platform::access;

inline int result(platform::error refusal) {
  if (refusal == 0) return 0;
  errno = refusal;
  return -1;
}

inline void require_ours(const void* secret) {
  if (pool::owns(secret)) return;
  internal::announce(internal::breach::invalid_pointer);
  if (sodium_misuse != nullptr) sodium_misuse();
  platform::terminate();
}

inline void* allocate(std::size_t size) { return pool::allocate_for_drop_in(size, internal::sodium_fill_byte); }

inline void* allocate_array(std::size_t count, std::size_t size) {
  // libsodium's rule, which refuses a product of exactly SIZE_MAX too.
  if (count > 0 && size >= SIZE_MAX / count) return pool::drop_in().refuse(ENOMEM);
  return allocate(count * size);
}

inline void deallocate(void* secret) {
  if (secret == nullptr) return;
  require_ours(secret);
  pool::deallocate<internal::drop_in_family>(secret);
}

inline int protect(void* secret, access to) {
  require_ours(secret);
  return result(pool::drop_in().protect(secret, to));
}

// libsodium's success is the lock's: it does not look whether the advice against dumps was taken.
inline int claim(void* address, std::size_t length) {
  return result(process::claim(address, length, internal::ledger::out_of_dumps::if_possible));
}
inline int disclaim(void* address, std::size_t length) { return result(process::disclaim(address, length)); }

inline int compare(const void* a, const void* b, std::size_t length) { return internal::equal(a, b, length) ? 0 : -1; }

}  // namespace lockfast::drop_in

#endif
