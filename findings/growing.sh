#!/usr/bin/env bash
# growing.sh - realloc() and a growing std::string leave what they held in freed memory.
#
# Version: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14), libstdc++ of GCC 12.2.0 (libstdc++6 12.2.0-14+deb12u1), x86-64.
# Guess:   A passphrase that is typed into a string, and wiped there before the string goes, is nowhere afterwards.
# Seen:    Each time the string grows, or realloc moves a block, the old block is freed with its content. All but the first 16
#          bytes of each, where malloc keeps its links, can be found. A string that reserved its room before leaves none.
# Source:  glibc, malloc/malloc.c: __libc_realloc copies and frees. GCC, libstdc++-v3/include/bits/basic_string.tcc: _M_mutate.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14 libstdc++6:amd64=12.2.0-14+deb12u1
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu

cat >program.cc <<'PROGRAM'
#include <malloc.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

constexpr int secret_size = 200, part_size = 32;

static char secret(int at) { return static_cast<char>('!' + (at * 37 + at / 5) % 90); }

// Whether a part of the secret, which is computed and lies nowhere, is in the heap.
static bool found() {
  std::FILE *maps = std::fopen("/proc/self/maps", "r");
  unsigned long start = 0, end = 0;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr && std::strstr(line, "[heap]") == nullptr) {}
  std::sscanf(line, "%lx-%lx", &start, &end);
  for (auto *at = reinterpret_cast<const volatile char *>(start); at + part_size <= reinterpret_cast<char *>(end); ++at) {
    int equal = 0;
    while (equal < part_size && at[equal] == secret(20 + equal)) ++equal;
    if (equal == part_size) return true;
  }
  return false;
}

static void by_string(int reserved) {
  std::string typed;
  if (reserved) typed.reserve(secret_size);
  for (int at = 0; at < secret_size; ++at) typed.push_back(secret(at));
  explicit_bzero(typed.data(), typed.size());
}

static void by_realloc() {
  char *typed = static_cast<char *>(std::malloc(secret_size));
  void *volatile neighbour = std::malloc(1);  // so that the block cannot grow where it is
  for (int at = 0; at < secret_size; ++at) typed[at] = secret(at);
  typed = static_cast<char *>(std::realloc(typed, 4096));
  explicit_bzero(typed, secret_size);
  std::free(typed);
  std::free(neighbour);
}

int main(int, char **arguments) {
  const char how = arguments[1][0];
  if (how == 's' || how == 'r') by_string(how == 'r');
  if (how == 'm') by_realloc();
  std::printf("%s: %s\n", arguments[2], found() ? "a copy" : "none");
}
PROGRAM

c++ -O1 -Wl,-z,now program.cc -o program
run() { "$work/root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" ./program "$@"; }
{
  run s "a string that grew"
  run r "a string with room reserved"
  run m "realloc"
} | tee seen

diff - seen <<'EXPECTED'
a string that grew: a copy
a string with room reserved: none
realloc: a copy
EXPECTED
