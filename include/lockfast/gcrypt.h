/* gcrypt.h - libgcrypt's secure memory, served by Lockfast.
 *
 * Put liblockfast-gcrypt in LD_PRELOAD, or link it before libgcrypt. It gives libgcrypt its allocation functions when the program calls
 * gcry_check_version, which every program calls first. The blocks of gcry_malloc_secure and its kin, and libgcrypt's own keys and
 * numbers, are then secrets of Lockfast. There may be as many as the lock limit has room for. libgcrypt's own pool has 16 or 32 KiB; a
 * request over that gets plain memory or is refused. docs/secure_heaps.md says more.
 */
#ifndef LOCKFAST_GCRYPT_H
#define LOCKFAST_GCRYPT_H

#include <lockfast/lockfast.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- The drop-in for libgcrypt -------------------------------------------------------------------------------------- */

/* Gives libgcrypt Lockfast's functions, in a program that links the static library. Call it just before gcry_check_version, and after
 * the few commands that must come before that, such as GCRYCTL_FORCE_FIPS_MODE. Refusals: EBUSY - libgcrypt is in use already;
 * ENOTSUP - libgcrypt is in FIPS mode, in which it accepts no allocation functions; ENOSYS - the program has no libgcrypt. */
LOCKFAST_API int lockfast_gcrypt_install(void);

#ifdef __cplusplus
}
#endif

#endif
