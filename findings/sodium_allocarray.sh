#!/usr/bin/env bash
# sodium_allocarray.sh - libsodium's sodium_allocarray() calls the sodium_malloc() that the program defines.
#
# Version: libsodium 1.0.18 (Debian 12, libsodium23 1.0.18-1+deb12u1), x86-64.
# Guess:   A library's own calls stay within it. A program that replaces sodium_malloc and sodium_free, but not
#          sodium_allocarray, gets libsodium's blocks from the latter.
# Seen:    sodium_allocarray gives the block of the program's sodium_malloc. Libraries on ELF are bound by name, so replace the
#          whole family or none of it: libsodium's sodium_free would be given a block that is not its own.
# Source:  libsodium, src/libsodium/sodium/utils.c: sodium_allocarray returns sodium_malloc(count * size), a call through the
#          procedure linkage table, since the library is linked without -Bsymbolic. ld.so(8), symbol lookup; ld(1), -Bsymbolic.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libsodium23:amd64=1.0.18-1+deb12u1
dpkg-deb -x libsodium23_*.deb root
libraries=$work/root/usr/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#include <stddef.h>
#include <stdio.h>

int sodium_init(void);
void *sodium_allocarray(size_t count, size_t size);

enum { room_size = 64 };
static char room[room_size];
static size_t size_asked;

void *sodium_malloc(size_t size) {
  size_asked = size;
  return room;
}

int main(void) {
  if (sodium_init() < 0) return 1;
  void *block = sodium_allocarray(4, 8);
  printf("the program's sodium_malloc was asked for %zu bytes\n", size_asked);
  printf("the block of sodium_allocarray is %s\n", block == room ? "the program's" : "libsodium's");
}
PROGRAM

cc -rdynamic program.c -o program "$libraries/libsodium.so.23"
LD_LIBRARY_PATH=$libraries ./program | tee seen

diff - seen <<'EXPECTED'
the program's sodium_malloc was asked for 32 bytes
the block of sodium_allocarray is the program's
EXPECTED
