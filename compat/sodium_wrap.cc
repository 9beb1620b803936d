// sodium_wrap.cc - the same functions by the names that a linker gives to calls under --wrap=sodium_malloc and so on.
//
// For a program that links libsodium.a: its member with sodium_malloc has other functions that libsodium needs, so it comes into
// the program, and a linker takes one definition of a name. Under --wrap the calls have names of their own.
#include <lockfast/sodium.h>

#include "compat/drop_in.h"

namespace drop_in = lockfast::drop_in;
using lockfast::platform::access;

extern "C" {

LOCKFAST_API void* __wrap_sodium_malloc(size_t size) { return drop_in::allocate(size); }
LOCKFAST_API void* __wrap_sodium_allocarray(size_t count, size_t size) { return drop_in::allocate_array(count, size); }
LOCKFAST_API void __wrap_sodium_free(void* secret) { drop_in::deallocate(secret); }

LOCKFAST_API int __wrap_sodium_mprotect_noaccess(void* secret) { return drop_in::protect(secret, access::none); }
LOCKFAST_API int __wrap_sodium_mprotect_readonly(void* secret) { return drop_in::protect(secret, access::read); }
LOCKFAST_API int __wrap_sodium_mprotect_readwrite(void* secret) { return drop_in::protect(secret, access::read_write); }

LOCKFAST_API int __wrap_sodium_mlock(void* address, size_t length) { return drop_in::claim(address, length); }
LOCKFAST_API int __wrap_sodium_munlock(void* address, size_t length) { return drop_in::disclaim(address, length); }

LOCKFAST_API void __wrap_sodium_memzero(void* address, size_t length) { lockfast::internal::wipe(address, length); }
LOCKFAST_API int __wrap_sodium_memcmp(const void* a, const void* b, size_t length) { return drop_in::compare(a, b, length); }

// Not inlined: its own frame begins where the caller's ends.
LOCKFAST_API __attribute__((noinline)) void __wrap_sodium_stackzero(size_t length) {
  lockfast::internal::wipe(__builtin_alloca(length), length);
}
}
