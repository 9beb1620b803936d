#!/usr/bin/env bash
# stream_buffers.sh - a FILE or a std::ifstream keeps a whole copy of a short file in the ordinary heap, after it was closed.
#
# Version: glibc 2.36 (Debian 12, libc6 2.36-9+deb12u14), libstdc++ of GCC 12.2.0 (libstdc++6 12.2.0-14+deb12u1), x86-64.
# Guess:   fread() and ifstream::read() put the bytes where the caller wants them; fclose() and the destructor leave none behind.
# Seen:    Both read the file into a buffer of their own, in the ordinary heap, and free it without a wipe. Unbuffered, there is no
#          copy: setvbuf(file, NULL, _IONBF, 0), or pubsetbuf(nullptr, 0) before the stream is opened. After it was opened,
#          pubsetbuf has no effect. read(2) makes no copy.
# Source:  glibc, libio/filedoalloc.c and libio/fileops.c (_IO_new_file_underflow); GCC, libstdc++-v3/include/bits/fstream.tcc
#          (_M_allocate_internal_buffer, setbuf).
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libc6:amd64=2.36-9+deb12u14 libstdc++6:amd64=12.2.0-14+deb12u1
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu

cat >program.cc <<'PROGRAM'
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>

constexpr int secret_size = 256, part_size = 32, maps_size = 1 << 16;
static unsigned char room[secret_size];
static char maps[maps_size];

static unsigned char secret(int at) { return static_cast<unsigned char>(at * 181 + at / 7 * 31 + 97); }

// Whether a part of the secret, which is computed and lies nowhere, is in memory that can be written to.
static bool found() {
  const int file = open("/proc/self/maps", O_RDONLY);
  ssize_t size = 0, got;
  while ((got = read(file, maps + size, maps_size - 1 - size)) > 0) size += got;
  close(file);
  for (char *line = maps; line < maps + size; line = std::strchr(line, '\n') + 1) {
    unsigned long start, end;
    char access[5];
    if (std::sscanf(line, "%lx-%lx %4s", &start, &end, access) != 3 || std::strncmp(access, "rw", 2) != 0) continue;
    for (auto *at = reinterpret_cast<const volatile unsigned char *>(start); at + part_size <= reinterpret_cast<unsigned char *>(end); ++at) {
      int equal = 0;
      while (equal < part_size && at[equal] == secret(100 + equal)) ++equal;
      if (equal == part_size) return true;
    }
  }
  return false;
}

static void by_file(int buffered) {
  std::FILE *file = std::fopen("key", "rb");
  if (!buffered) std::setvbuf(file, nullptr, _IONBF, 0);
  if (std::fread(room, 1, secret_size, file) != secret_size) _exit(1);
  std::fclose(file);
}

static void by_stream(int unbuffered_before, int unbuffered_after) {
  std::ifstream file;
  if (unbuffered_before) file.rdbuf()->pubsetbuf(nullptr, 0);
  file.open("key", std::ios::binary);
  if (unbuffered_after) file.rdbuf()->pubsetbuf(nullptr, 0);
  if (!file.read(reinterpret_cast<char *>(room), secret_size)) _exit(1);
}

static void by_read() {
  const int file = open("key", O_RDONLY);
  if (read(file, room, secret_size) != secret_size) _exit(1);
  close(file);
}

int main(int, char **arguments) {
  const char how = arguments[1][0];
  if (how == 'w') {  // writes the file
    for (int at = 0; at < secret_size; ++at) std::putchar(secret(at));
    return 0;
  }
  if (how == 'f' || how == 'n') by_file(how == 'f');
  if (how == 's' || how == 'b' || how == 'a') by_stream(how == 'b', how == 'a');
  if (how == 'r') by_read();
  if (room[1] != secret(1)) return 1;
  explicit_bzero(room, secret_size);
  std::printf("%s: %s\n", arguments[2], found() ? "a copy" : "none");
}
PROGRAM

c++ -O1 -Wl,-z,now program.cc -o program
run() { "$work/root/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2" --library-path "$libraries" ./program "$@"; }
run w >key
{
  run f "fread"
  run n "fread, _IONBF"
  run s "ifstream"
  run a "ifstream, pubsetbuf after open"
  run b "ifstream, pubsetbuf before open"
  run r "read"
} | tee seen

diff - seen <<'EXPECTED'
fread: a copy
fread, _IONBF: none
ifstream: a copy
ifstream, pubsetbuf after open: a copy
ifstream, pubsetbuf before open: none
read: none
EXPECTED
