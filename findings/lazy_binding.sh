#!/usr/bin/env bash
# lazy_binding.sh - the first call of a library's function leaves a copy of a secret on the stack.
#
# Version: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14), x86-64.
# Guess:   getppid() takes no argument and touches no secret, so calling it copies none.
# Seen:    Under lazy binding, the first call of any function of a shared library runs the dynamic linker's resolver. It saves
#          the vector registers on the stack, below the caller's frame. The memcpy before has left the secret in them. The
#          saved copy stays there after the call. Under `-z now`, or with LD_BIND_NOW=1, there is none; and none after
#          sodium_stackzero(16384) of libsodium 1.0.18, although that is called through the resolver too.
# Source:  glibc, sysdeps/x86_64/dl-trampoline.h: the resolver saves the registers before it looks the function up.
#          ld.so(8), LD_BIND_NOW; ld(1), -z lazy and -z now.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14 libsodium23:amd64=1.0.18-1+deb12u1
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu

cat >program.c <<'PROGRAM'
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

void sodium_stackzero(size_t);

enum { secret_size = 32, part_size = 16, searched_size = 16384 };
static unsigned char secret[secret_size], copy[secret_size];

// Looks below its own frame, where calls that have returned had theirs, for the first part of the secret.
__attribute__((noinline)) static const char *below(void) {
  const volatile unsigned char *frame = __builtin_frame_address(0);
  for (int distance = part_size; distance < searched_size; distance++) {
    int equal = 0;
    while (equal < part_size && frame[equal - distance] == secret[equal]) equal++;
    if (equal == part_size) return "a copy";
  }
  return "none";
}

int main(void) {
  for (int i = 0; i < secret_size; i++) secret[i] = (unsigned char)(37 * i + 11);
  memcpy(copy, secret, secret_size);
  const char *before = below();
  getppid();
  const char *after = below();
  sodium_stackzero(searched_size);
  const char *wiped = below();
  printf("before the call: %s, after it: %s, after sodium_stackzero: %s\n", before, after, wiped);
}
PROGRAM

cc -O1 -fno-builtin-memcpy -Wl,-z,lazy program.c -o lazy root/usr/lib/x86_64-linux-gnu/libsodium.so.23
cc -O1 -fno-builtin-memcpy -Wl,-z,now program.c -o now root/usr/lib/x86_64-linux-gnu/libsodium.so.23
run() { "$libraries/ld-linux-x86-64.so.2" --library-path "$libraries:$work/root/usr/lib/x86_64-linux-gnu" "$@"; }
{
  printf 'lazy:          '; run ./lazy
  printf 'LD_BIND_NOW=1: '; LD_BIND_NOW=1 run ./lazy
  printf -- '-z now:        '; run ./now
} | tee seen

diff - seen <<'EXPECTED'
lazy:          before the call: none, after it: a copy, after sodium_stackzero: none
LD_BIND_NOW=1: before the call: none, after it: none, after sodium_stackzero: none
-z now:        before the call: none, after it: none, after sodium_stackzero: none
EXPECTED
