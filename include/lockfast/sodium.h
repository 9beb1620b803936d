/* sodium.h - libsodium's names for secure memory, served by Lockfast.
 *
 * liblockfast-sodium exports these in place of libsodium's: put it before libsodium in the link order or in LD_PRELOAD. The
 * stand-alone library, liblockfast-sodium-standalone, exports sodium_init too, for programs that use nothing else of
 * libsodium. Every contract is libsodium's; where Lockfast keeps a promise that libsodium breaks, docs/sodium.md says so.
 * lockfast_describe and lockfast_get_statistics (lockfast.h) tell what protections these secrets got.
 *
 * Do not include it together with <sodium.h>, which declares the same functions.
 */
#ifndef LOCKFAST_SODIUM_H
#define LOCKFAST_SODIUM_H

#include <lockfast/lockfast.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The drop-in for libsodium --------------------------------------------------------------------------------------- */

/* Allocates size bytes of 0xdb that end where an inaccessible page begins. Refusals: ENOMEM - as for lockfast_malloc, of
 * lockfast.h. */
LOCKFAST_API LOCKFAST_NODISCARD void *sodium_malloc(size_t size);

/* Allocates count * size bytes as sodium_malloc does. Refusals: ENOMEM - as for sodium_malloc, and a product that overflows. */
LOCKFAST_API LOCKFAST_NODISCARD void *sodium_allocarray(size_t count, size_t size);

/* Verifies the canary, wipes the secret and gives it back, whatever its access. Does nothing if secret is NULL. A broken canary
 * raises SIGSEGV, then aborts. */
LOCKFAST_API void sodium_free(void *secret);

/* Sets who can touch one secret: nobody, readers, all. Refusals: the errno of lockfast_protect, of lockfast.h. */
LOCKFAST_API int sodium_mprotect_noaccess(void *secret);
LOCKFAST_API int sodium_mprotect_readonly(void *secret);
LOCKFAST_API int sodium_mprotect_readwrite(void *secret);

/* Holds the caller's own memory in RAM and out of core dumps. Refusals: the errno of lockfast_mlock, of lockfast.h. */
LOCKFAST_API int sodium_mlock(void *address, size_t length);

/* Wipes exactly these bytes, and lets go of them. Refusals: the errno of lockfast_munlock, of lockfast.h. */
LOCKFAST_API int sodium_munlock(void *address, size_t length);

/* Writes length zero bytes at address, which no compiler removes. */
LOCKFAST_API void sodium_memzero(void *address, size_t length);

/* Returns 0 if length bytes are equal, otherwise -1, in a time that depends on length alone. */
LOCKFAST_API LOCKFAST_NODISCARD int sodium_memcmp(const void *a, const void *b, size_t length);

/* Wipes length bytes of stack below the caller's frame. */
LOCKFAST_API void sodium_stackzero(size_t length);

/* Returns 0 the first time, 1 afterwards; nothing here depends on it. Only in the stand-alone library. */
LOCKFAST_API LOCKFAST_NODISCARD int sodium_init(void);

#ifdef __cplusplus
}
#endif

#endif
