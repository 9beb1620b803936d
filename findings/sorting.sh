#!/usr/bin/env bash
# sorting.sh - qsort() and the stable algorithms of C++ copy what they sort into memory of their own, and leave it there.
#
# Version: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14), libstdc++ of GCC 12.2.0 (libstdc++6 12.2.0-14+deb12u1), x86-64.
# Guess:   What sorts an array swaps its elements where they are: keys in locked memory that is wiped later are nowhere else.
# Seen:    qsort() is a merge sort. It copies the whole array onto its stack where that has less than 1024 bytes, otherwise into a block
#          of malloc(). std::stable_sort, stable_partition and inplace_merge take a buffer by operator new(nothrow), whatever allocator a
#          container has. No copy is wiped. std::sort and std::partition leave none in the heap.
# Source:  glibc, stdlib/msort.c: __qsort_r, "if (size < 1024) /* The temporary array is small, so put it on the stack. */". GCC,
#          libstdc++-v3/include/bits/stl_tempbuf.h: _Temporary_buffer; the C++ standard, alg.sort, leaves it open ("if enough extra
#          memory is available").
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14 libstdc++6:amd64=12.2.0-14+deb12u1
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu

cat >program.cc <<'PROGRAM'
#include <sys/mman.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>

// A key of 32 bytes, the first of which is its rank.
struct key {
  unsigned char bytes[32];
  bool operator<(const key& other) const { return bytes[0] < other.bytes[0]; }
};
constexpr int marked = 24;  // bytes at the end of each, which are computed and lie nowhere else

static unsigned char mark(int at) { return static_cast<unsigned char>(131 + at * 29 + at * at); }

static bool is_marked(const volatile unsigned char *at) {
  for (int byte = 0; byte < marked; ++byte) {
    if (at[byte] != mark(byte)) return false;
  }
  return true;
}

static bool holds(const unsigned char *from, const unsigned char *end) {
  for (; from + marked <= end; ++from) {
    if (is_marked(from)) return true;
  }
  return false;
}

static bool in_heap() {
  std::FILE *maps = std::fopen("/proc/self/maps", "r");
  unsigned char *start = nullptr, *end = nullptr;
  for (char line[512]; std::fgets(line, sizeof line, maps) != nullptr;) {
    if (std::strstr(line, "[heap]") != nullptr) std::sscanf(line, "%p-%p", (void **)&start, (void **)&end);
  }
  std::fclose(maps);
  return holds(start, end);
}

// Below the frame of the caller, where what it called before has had its own.
[[gnu::noinline]] static bool on_stack() {
  unsigned char area[4096];
  __asm__ volatile("" : "=m"(area));
  return holds(area, area + sizeof area);
}

static int compare(const void *one, const void *other) {
  return *static_cast<const unsigned char *>(one) - *static_cast<const unsigned char *>(other);
}

int main(int, char **arguments) {
  const int count = std::atoi(arguments[2]);
  key *const keys = static_cast<key *>(mmap(nullptr, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  for (int at = 0; at < count; ++at) {
    keys[at].bytes[0] = static_cast<unsigned char>(at * 37);
    for (int byte = 0; byte < marked; ++byte) keys[at].bytes[8 + byte] = mark(byte);
  }
  key *const end = keys + count;
  const auto is_low = [](const key& each) { return each.bytes[0] < 100; };
  bool stack = false;
  switch (arguments[1][0]) {
    case 'q': std::qsort(keys, static_cast<std::size_t>(count), sizeof *keys, compare), stack = on_stack(); break;
    case 's': std::sort(keys, end); break;
    case 't': std::stable_sort(keys, end); break;
    case 'p': (void)std::partition(keys, end, is_low); break;
    case 'r': (void)std::stable_partition(keys, end, is_low); break;
    case 'm':
      std::sort(keys, keys + count / 2), std::sort(keys + count / 2, end);
      std::inplace_merge(keys, keys + count / 2, end);
  }
  std::memset(keys, 0, 65536);
  std::printf("%s, %d keys of 32 bytes: %s\n", arguments[3], count, stack ? "on the stack" : in_heap() ? "in the heap" : "not in the heap");
}
PROGRAM

c++ -O1 -Wl,-z,now program.cc -o program
run() { "$work/root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" ./program "$@"; }
{
  run q 20 qsort
  run q 100 qsort
  run t 100 std::stable_sort
  run r 100 std::stable_partition
  run m 100 std::inplace_merge
  run s 100 std::sort
  run p 100 std::partition
} | tee seen

diff - seen <<'EXPECTED'
qsort, 20 keys of 32 bytes: on the stack
qsort, 100 keys of 32 bytes: in the heap
std::stable_sort, 100 keys of 32 bytes: in the heap
std::stable_partition, 100 keys of 32 bytes: in the heap
std::inplace_merge, 100 keys of 32 bytes: in the heap
std::sort, 100 keys of 32 bytes: not in the heap
std::partition, 100 keys of 32 bytes: not in the heap
EXPECTED
