#!/usr/bin/env bash
# idempotent_atomics.sh - clang writes nothing for an atomic or with 0 whose value is not used.
#
# Version: clang 14.0.6-12, as Debian 12 installs it, for x86-64.
# Guess:   An atomic read-modify-write accesses its memory, so that `fetch_or(0)` faults a page in for writing and changes nothing: the way
#          to have a page in RAM while other threads may write to it. A volatile one does so for certain.
# Seen:    Once clang optimizes, a relaxed one reads the page, which gets the frame of zeros, and those of the strongest order and of
#          volatile memory do not touch it; the first of these makes a locked access to the stack. Clang 19 does not read for the relaxed
#          one either, and 17 and later keep the volatile one. GCC 12 writes each time, and so does clang where it does not know the operand.
# Source:  LLVM, lib/Transforms/InstCombine/InstCombineAtomicRMW.cpp, and lib/Target/X86/X86ISelLowering.cpp, lowerAtomicArith(); its
#          issue 63692 for the volatile one.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download clang-14=1:14.0.6-12 libclang-cpp14=1:14.0.6-12 libllvm14=1:14.0.6-12 \
  libclang-common-14-dev=1:14.0.6-12
for package in *.deb; do dpkg-deb -x "$package" root; done
clang() { LD_LIBRARY_PATH=$work/root/usr/lib/x86_64-linux-gnu:$work/root/usr/lib/llvm-14/lib "$work/root/usr/lib/llvm-14/bin/clang" "$@"; }

cat >program.c <<'PROGRAM'
#define _DEFAULT_SOURCE
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

__attribute__((noinline)) static void relaxed(unsigned *word) { (void)__atomic_fetch_or(word, 0, __ATOMIC_RELAXED); }
__attribute__((noinline)) static void strongest(unsigned *word) { (void)__atomic_fetch_or(word, 0, __ATOMIC_SEQ_CST); }
__attribute__((noinline)) static void with_volatile(volatile unsigned *word) { (void)__atomic_fetch_or(word, 0, __ATOMIC_RELAXED); }
__attribute__((noinline)) static void with_unknown(unsigned *word) {
  unsigned nothing = 0;
  __asm__("" : "+r"(nothing));
  (void)__atomic_fetch_or(word, nothing, __ATOMIC_RELAXED);
}

static void *page(void) { return mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0); }

/* By bits 63 and 56 of its entry in pagemap: in RAM, and in a frame of its own, not in the one of zeros that a read gives it. */
static const char *what_has(void *page) {
  uint64_t entry = 0;
  const int pages = open("/proc/self/pagemap", O_RDONLY);
  if (pages < 0 || pread(pages, &entry, sizeof entry, (off_t)((uintptr_t)page / 4096 * sizeof entry)) != sizeof entry) return "?";
  close(pages);
  return !(entry >> 63 & 1) ? "nothing" : entry >> 56 & 1 ? "written" : "read";
}

int main(void) {
  void *pages[] = {page(), page(), page(), page()};
  relaxed(pages[0]);
  strongest(pages[1]);
  with_volatile(pages[2]);
  with_unknown(pages[3]);
  printf("relaxed: %s; seq_cst: %s; volatile: %s; an operand that is not known: %s\n", what_has(pages[0]), what_has(pages[1]),
         what_has(pages[2]), what_has(pages[3]));
  return 0;
}
PROGRAM

{
  for level in O0 O2; do
    clang -$level program.c -o by_clang && echo "clang -$level: $(./by_clang)"
    cc -$level program.c -o by_cc && echo "cc -$level: $(./by_cc)"
  done
} | tee seen

diff - seen <<'EXPECTED'
clang -O0: relaxed: written; seq_cst: written; volatile: written; an operand that is not known: written
cc -O0: relaxed: written; seq_cst: written; volatile: written; an operand that is not known: written
clang -O2: relaxed: read; seq_cst: nothing; volatile: nothing; an operand that is not known: written
cc -O2: relaxed: written; seq_cst: written; volatile: written; an operand that is not known: written
EXPECTED
