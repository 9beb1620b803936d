#!/usr/bin/env bash
# core_registers.sh - a core dump has a secret in its registers, although the secret's memory is left out of dumps.
#
# Version: Linux 6.18, glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14), x86-64 with AVX.
# Guess:   Memory under MADV_DONTDUMP is in no core dump, so a secret that lies nowhere else is in none.
# Seen:    The memory is left out. But the dump begins with the registers of each thread, and memcpy has left all 32 bytes of
#          the secret in a vector register. Without the memcpy the secret is not in the dump.
# Source:  core(5); the kernel's fs/binfmt_elf.c writes the note NT_X86_XSTATE for each thread. glibc,
#          sysdeps/x86_64/multiarch/memmove-vec-unaligned-erms.S: 32 bytes are copied through one register.
set -euo pipefail

if [[ $(cat /proc/sys/kernel/core_pattern) != core* ]] || ! grep -qw avx /proc/cpuinfo; then
  echo "left out: needs a core_pattern that writes core files here, and AVX"
  exit 0
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14
dpkg-deb -x libc6_*.deb root
libraries=$work/root/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <unistd.h>

enum { secret_size = 32, page_size = 4096 };

int main(int count, char **arguments) {
  unsigned char *secret = mmap(NULL, page_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (madvise(secret, page_size, MADV_DONTDUMP) != 0) return 1;
  if (getrandom(secret, secret_size, 0) != secret_size) return 1;
  if (write(1, secret, secret_size) != secret_size) return 1; // for the search
  if (count > 1) memcpy(secret + secret_size, secret, secret_size);
  __builtin_trap();
}
PROGRAM

cat >search.py <<'PROGRAM'
import glob, sys
secret = open(sys.argv[1], "rb").read()
core = open(glob.glob("core*")[0], "rb").read()
print(f"{sys.argv[2]}: the core dump has {'the secret' if secret in core else 'no secret'}")
PROGRAM

cc -O1 -fno-builtin-memcpy -Wl,-z,now program.c -o program
crash() { (ulimit -c unlimited; "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries" ./program "$@" >secret) 2>/dev/null || true; }
{
  rm -f core*; crash; python3 search.py secret "without memcpy"
  rm -f core*; crash copied; python3 search.py secret "after memcpy"
} | tee seen

diff - seen <<'EXPECTED'
without memcpy: the core dump has no secret
after memcpy: the core dump has the secret
EXPECTED
