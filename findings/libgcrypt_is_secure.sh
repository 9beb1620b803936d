#!/usr/bin/env bash
# libgcrypt_is_secure.sh - gcry_is_secure() says 1 of memory that is not locked.
#
# Version: libgcrypt 1.10.1 (Debian 12, libgcrypt20 1.10.1-3+deb12u1).
# Guess:   A pool that GCRYCTL_AUTO_EXPAND_SECMEM adds is locked as the first is, and gcry_is_secure tells which memory is.
# Seen:    The first pool is locked in RAM. The pools that are added when it is full are ordinary memory: they can be swapped.
#          gcry_is_secure is 1 for blocks of both. A warning on standard error, once for a process, is the only sign.
# Source:  libgcrypt, src/secmem.c: _gcry_secmem_malloc_internal takes an overflow pool from malloc and does not lock it;
#          _gcry_private_is_secure goes through all pools.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libgcrypt20:amd64=1.10.1-3+deb12u1 libgcrypt20-dev:amd64=1.10.1-3+deb12u1 \
  libgpg-error0:amd64=1.46-1 libgpg-error-dev:amd64=1.46-1
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#include <gcrypt.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

enum { pool_size = 16384, block_size = 32, block_count = 1000 };

// Whether the kernel's account of the block's mapping has the flag "lo", for locked.
static const char *locked(const void *block) {
  FILE *maps = fopen("/proc/self/smaps", "r");
  uintptr_t address = (uintptr_t)block, start, end;
  int within = 0, found = 0;
  char line[1024];
  while (maps != NULL && fgets(line, sizeof line, maps) != NULL) {
    if (sscanf(line, "%lx-%lx ", &start, &end) == 2) within = start <= address && address < end;
    if (within && strncmp(line, "VmFlags:", 8) == 0) found = strstr(line, " lo") != NULL;
  }
  fclose(maps);
  return found ? "locked" : "not locked";
}

int main(void) {
  setvbuf(stdout, NULL, _IOLBF, 0);
  gcry_check_version(NULL);
  gcry_control(GCRYCTL_INIT_SECMEM, pool_size, 0);
  gcry_control(GCRYCTL_AUTO_EXPAND_SECMEM, pool_size);
  gcry_control(GCRYCTL_INITIALIZATION_FINISHED, 0);
  void *first = gcry_malloc_secure(block_size), *last = NULL;
  printf("the first block: gcry_is_secure %d, %s\n", gcry_is_secure(first), locked(first));
  for (int i = 1; i < block_count; i++) last = gcry_malloc_secure(block_size);
  printf("the last of %d: gcry_is_secure %d, %s\n", block_count, gcry_is_secure(last), locked(last));
}
PROGRAM

cc -Iroot/usr/include -Iroot/usr/include/x86_64-linux-gnu program.c -o program \
  root/usr/lib/x86_64-linux-gnu/libgcrypt.so.20 root/lib/x86_64-linux-gnu/libgpg-error.so.0
LD_LIBRARY_PATH=$libraries ./program 2>&1 | tee seen

diff - seen <<'EXPECTED'
the first block: gcry_is_secure 1, locked
Warning: using insecure memory!
the last of 1000: gcry_is_secure 1, not locked
EXPECTED
