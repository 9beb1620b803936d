#!/usr/bin/env bash
# tsan_cxa_atexit.sh - under ThreadSanitizer an exit handler that is registered for no library loses its argument.
#
# Version: LLVM 19.1.7 (Debian 12, clang-19 and libclang-rt-19-dev 1:19.1.7-3~deb12u1), glibc 2.36, x86-64.
# Guess:   __cxa_atexit(function, argument, NULL) calls function(argument) at exit, with a sanitizer as without.
# Seen:    Without it the function gets its argument. With -fsanitize=thread it is called as a function of atexit() would be, with
#          none: what it reads as its argument is whatever the register holds. With a library's handle it gets its argument.
# Source:  glibc, stdlib/cxa_atexit.c: the argument is kept whatever the handle is. compiler-rt,
#          lib/tsan/rtl/tsan_interceptors_posix.cpp: a registration without a handle is taken for one of atexit().
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=1:19.1.7-3~deb12u1
apt-get -qq -o APT::Sandbox::User=root download clang-19=$version libclang-rt-19-dev=$version libclang-common-19-dev=$version \
  libclang-cpp19=$version libllvm19=$version libclang1-19=$version llvm-19-linker-tools=$version
for package in *.deb; do dpkg-deb -x "$package" root; done

cat >program.c <<'PROGRAM'
#include <stdio.h>

extern int __cxa_atexit(void (*)(void *), void *, void *);
extern void *__dso_handle;

static int argument;

static void tell(const char *which, void *given) { printf("%s: %s\n", which, given == &argument ? "its argument" : "another"); }
static void without_library(void *given) { tell("registered without a library", given); }
static void with_library(void *given) { tell("registered with one", given); }

int main(void) {
  __cxa_atexit(without_library, &argument, NULL);
  __cxa_atexit(with_library, &argument, &__dso_handle);
}
PROGRAM

compile() { LD_LIBRARY_PATH=$work/root/usr/lib/llvm-19/lib:$work/root/usr/lib/x86_64-linux-gnu "$work/root/usr/lib/llvm-19/bin/clang" program.c "$@"; }
compile -o plain
compile -fsanitize=thread -o sanitized
{
  echo "plain:"; ./plain
  echo "-fsanitize=thread:"; ./sanitized
} | tee seen

diff - seen <<'EXPECTED'
plain:
registered with one: its argument
registered without a library: its argument
-fsanitize=thread:
registered with one: its argument
registered without a library: another
EXPECTED
