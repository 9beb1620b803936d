#!/usr/bin/env bash
# tsan_raw_close.sh - ThreadSanitizer tells of a race between two threads whose files had one number after the other.
#
# Version: LLVM 19.1.7 (Debian 12, clang-19 and libclang-rt-19-dev 1:19.1.7-3~deb12u1), glibc 2.36, x86-64.
# Guess:   A descriptor that was mapped and closed is gone; another thread's file with the same number is another's affair.
# Seen:    The first thread maps a descriptor by mmap() and closes it by syscall(SYS_close). A second thread opens a file, which gets
#          the number again, and closes it by close(): "data race", by close() and by mmap(). Closed by close() in both, no word.
# Source:  compiler-rt, lib/tsan/rtl/tsan_fd.cpp: mmap() reads a record that belongs to the number, close() writes it and clears it.
#          The second open went unseen as well (openat(2) by syscall, as some libraries have it), or it would have cleared the record.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
version=1:19.1.7-3~deb12u1
apt-get -qq -o APT::Sandbox::User=root download clang-19=$version libclang-rt-19-dev=$version libclang-common-19-dev=$version \
  libclang-cpp19=$version libllvm19=$version libclang1-19=$version llvm-19-linker-tools=$version
for package in *.deb; do dpkg-deb -x "$package" root; done

cat >program.c <<'PROGRAM'
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

static atomic_int mapped;  /* relaxed: it orders nothing */
static int numbers[2];
static int raw;

static void *map(void *unused) {
  numbers[0] = memfd_create("one", 0);
  (void)!ftruncate(numbers[0], 4096);
  (void)mmap(NULL, 4096, PROT_READ, MAP_SHARED, numbers[0], 0);
  if (raw) syscall(SYS_close, numbers[0]); else close(numbers[0]);
  atomic_store_explicit(&mapped, 1, memory_order_relaxed);
  return unused;
}

static void *open_another(void *unused) {
  while (!atomic_load_explicit(&mapped, memory_order_relaxed)) usleep(100);
  numbers[1] = (int)syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY);
  close(numbers[1]);
  return unused;
}

int main(int argc, char **argv) {
  pthread_t threads[2];
  raw = argc > 1 && strcmp(argv[1], "raw") == 0;
  pthread_create(&threads[1], NULL, open_another, NULL);
  pthread_create(&threads[0], NULL, map, NULL);
  for (int at = 0; at < 2; ++at) pthread_join(threads[at], NULL);
  printf("the same number: %s\n", numbers[0] == numbers[1] ? "yes" : "no");
}
PROGRAM

LD_LIBRARY_PATH=$work/root/usr/lib/llvm-19/lib:$work/root/usr/lib/x86_64-linux-gnu "$work/root/usr/lib/llvm-19/bin/clang" \
  -fsanitize=thread program.c -o program -pthread
for how in close raw; do
  echo "closed by $how:"
  ./program "$how" 2>report || true  # 66 where something was told
  grep -o 'WARNING: ThreadSanitizer: data race' report || echo 'no word'
  grep -oE '#0 (close|mmap)' report || true
done | tee seen

diff - seen <<'EXPECTED'
closed by close:
the same number: yes
no word
closed by raw:
the same number: yes
WARNING: ThreadSanitizer: data race
#0 close
#0 mmap
EXPECTED
