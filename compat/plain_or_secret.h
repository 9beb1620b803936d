// plain_or_secret.h - what the secure heaps of other libraries ask of an allocator: small secrets, and telling them from the plain heap.
//
// Secrets come from the drop-in family: they are the child's too after a fork, as in the heaps whose place they take, and a lock that
// is refused leaves them unlocked, as LOCKFAST_OPTIONS may say otherwise. They are grouped up to 16 KiB.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_COMPAT_PLAIN_OR_SECRET_H
#define LOCKFAST_COMPAT_PLAIN_OR_SECRET_H

#include <cstddef>

#include "allocator/pool.h"

namespace lockfast::drop_in {

// Null with errno when it is refused.
inline void* allocate_secret(std::size_t size) { return internal::pool::allocate<internal::drop_in_family>(size); }
inline void free_secret(void* secret) { internal::pool::deallocate<internal::drop_in_family>(secret); }
// Whether the address lies in or beside a secret of this library.
inline bool is_secret(const void* address) { return internal::pool::owns(address); }

// 0 for what is no live secret's own pointer.
inline std::size_t size_of_secret(const void* secret) {
  lockfast_receipt receipt;
  return internal::pool::describe(secret, internal::account::records, receipt) == 0 ? receipt.size : 0;
}

inline bool is_locked(const void* secret) {
  lockfast_receipt receipt;
  return internal::pool::describe(secret, internal::account::system, receipt) == 0 && receipt.lock_error == 0;
}

}  // namespace lockfast::drop_in

#endif
