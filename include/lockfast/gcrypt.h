/* gcrypt.h - libgcrypt's secure memory, served by Lockfast.
 *
 * liblockfast-gcrypt gives libgcrypt its allocation functions when the program calls gcry_check_version, with which every program
 * begins: put it in LD_PRELOAD, or link it before libgcrypt. What
 * gcry_malloc_secure and its kin give, and libgcrypt's own keys and numbers, are then secrets of Lockfast, as many as the lock limit has
 * room for, where libgcrypt's pool has 16 or 32 KiB and what is beyond it is plain memory or refused. docs/secure_heaps.md says more.
 */
#ifndef LOCKFAST_GCRYPT_H
#define LOCKFAST_GCRYPT_H

#include <lockfast/lockfast.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The drop-in for libgcrypt -------------------------------------------------------------------------------------- */

/* Gives libgcrypt Lockfast's functions, in a program that links the static library. Call it just before gcry_check_version, and after
 * the few commands that have to come before that (GCRYCTL_FORCE_FIPS_MODE, say). Refusals: EBUSY - libgcrypt is in use already;
 * ENOTSUP - it takes no allocation functions, in FIPS mode; ENOSYS - the program has no libgcrypt. */
LOCKFAST_API int lockfast_gcrypt_install(void);

#ifdef __cplusplus
}
#endif

#endif
