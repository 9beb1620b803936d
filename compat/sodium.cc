// sodium.cc - libsodium's secure memory, by its names, on the drop-in pool.
#include <lockfast/sodium.h>

#include "compat/drop_in.h"

namespace drop_in = lockfast::drop_in;
using lockfast::platform::access;

extern "C" {

void* sodium_malloc(size_t size) { return drop_in::allocate(size); }
#ifdef __ELF__
// The same function, by which lockfast-served tells it from libsodium's in a program that is linked statically. Other formats of
// object files have no aliases, or no hidden names.
[[gnu::alias("sodium_malloc"), gnu::used, gnu::visibility("hidden")]] void* lockfast_sodium_malloc(size_t size);
#endif

void* sodium_allocarray(size_t count, size_t size) { return drop_in::allocate_array(count, size); }
void sodium_free(void* secret) { drop_in::deallocate(secret); }

int sodium_mprotect_noaccess(void* secret) { return drop_in::protect(secret, access::none); }
int sodium_mprotect_readonly(void* secret) { return drop_in::protect(secret, access::read); }
int sodium_mprotect_readwrite(void* secret) { return drop_in::protect(secret, access::read_write); }

int sodium_mlock(void* address, size_t length) { return drop_in::claim(address, length); }
int sodium_munlock(void* address, size_t length) { return drop_in::disclaim(address, length); }

void sodium_memzero(void* address, size_t length) { lockfast::internal::wipe(address, length); }
int sodium_memcmp(const void* a, const void* b, size_t length) { return drop_in::compare(a, b, length); }

// Not inlined: its own frame begins where the caller's ends.
__attribute__((noinline)) void sodium_stackzero(size_t length) { lockfast::internal::wipe(__builtin_alloca(length), length); }
}
