#!/usr/bin/env bash
# malloc_perturb.sh - MALLOC_PERTURB_ does not overwrite the first freed blocks of each size.
#
# Version: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14), x86-64.
# Guess:   MALLOC_PERTURB_=N overwrites every block when it is freed, as mallopt(3) says of M_PERTURB. So it can stand in for
#          wiping.
# Seen:    Of 20 blocks of one size that are freed in turn, the first 7 keep all bytes but the first 16. They go into the
#          thread's cache, which holds blocks of up to 1032 bytes. The other 13 are overwritten, and so is every longer block.
# Source:  glibc 2.36, malloc/malloc.c: _int_free puts a block into the cache (tcache_put) and returns before it comes to
#          free_perturb. TCACHE_FILL_COUNT is 7.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14
dpkg-deb -x libc6_*.deb root
libraries=$work/root/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { block_count = 20, links_size = 16, max_size = 1033 };  // the allocator's own links lie in the first bytes

int main(void) {
  static const size_t sizes[] = {64, 1032, max_size};
  static char expected[max_size], found[max_size];
  int memory = open("/proc/self/mem", O_RDONLY);
  memset(expected, 'S', sizeof expected);
  for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
    void *blocks[block_count];
    uintptr_t addresses[block_count];
    int kept = 0;
    for (int k = 0; k < block_count; k++) {
      blocks[k] = memset(malloc(sizes[i]), 'S', sizes[i]);
      addresses[k] = (uintptr_t)blocks[k];
    }
    for (int k = 0; k < block_count; k++) free(blocks[k]);
    for (int k = 0; k < block_count; k++) {
      size_t size = sizes[i] - links_size;
      ssize_t got = pread(memory, found, size, (off_t)(addresses[k] + links_size));
      if (got != (ssize_t)size) return 1;
      kept += memcmp(found, expected, size) == 0;
    }
    printf("%zu bytes: %d of %d freed blocks keep their content\n", sizes[i], kept, block_count);
  }
}
PROGRAM

cc -O1 program.c -o program
MALLOC_PERTURB_=85 "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" ./program | tee seen

diff - seen <<'EXPECTED'
64 bytes: 7 of 20 freed blocks keep their content
1032 bytes: 7 of 20 freed blocks keep their content
1033 bytes: 0 of 20 freed blocks keep their content
EXPECTED
