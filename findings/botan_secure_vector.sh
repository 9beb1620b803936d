#!/usr/bin/env bash
# botan_secure_vector.sh - Botan's secure_vector is locked in RAM from 16 to 256 bytes only.
#
# Version: Botan 2.19.3 (Debian 12, libbotan-2-19 2.19.3+dfsg-1+deb12u1).
# Guess:   Every secure_vector is locked while the lock limit has room: so are the keys in it.
# Seen:    Vectors of 16 and 256 bytes are locked. Those of 15, 257 and 1024 bytes come from the ordinary heap, without any sign.
#          A private RSA key of 2048 bits in its usual encoding is longer than 256 bytes.
# Source:  Botan, src/lib/utils/mem_pool/mem_pool.cpp: requests that are too small or too large are left to calloc;
#          src/lib/utils/allocator.cpp: allocate_memory calls calloc then.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
apt-get -qq -o APT::Sandbox::User=root download libbotan-2-19:amd64=2.19.3+dfsg-1+deb12u1 \
  libbotan-2-dev:amd64=2.19.3+dfsg-1+deb12u1 libtspi1:amd64=0.3.15-0.3 libsqlite3-0:amd64=3.40.1-2+deb12u2 \
  libbz2-1.0:amd64=1.0.8-5+b1 liblzma5:amd64=5.4.1-1+deb12u2 zlib1g:amd64=1:1.2.13.dfsg-1
for package in *.deb; do dpkg-deb -x "$package" root; done
libraries=$work/root/lib/x86_64-linux-gnu:$work/root/usr/lib/x86_64-linux-gnu

cat >program.cc <<'PROGRAM'
#include <botan/secmem.h>

#include <cstdint>
#include <fstream>
#include <iostream>
#include <sstream>
#include <string>

// Whether the kernel's account of the mapping at the address has the flag "lo", for locked.
static bool locked(const void *at) {
  auto address = reinterpret_cast<std::uintptr_t>(at);
  std::ifstream maps("/proc/self/smaps");
  bool within = false, found = false;
  for (std::string line; std::getline(maps, line);) {
    std::istringstream range(line);
    std::uintptr_t start, end;
    char dash;
    if (range >> std::hex >> start >> dash >> end && dash == '-') within = start <= address && address < end;
    if (within && line.rfind("VmFlags:", 0) == 0) found = line.find(" lo") != std::string::npos;
  }
  return found;
}

int main() {
  for (std::size_t size : {15, 16, 256, 257, 1024}) {
    Botan::secure_vector<std::uint8_t> secret(size);
    std::cout << size << " bytes: " << (locked(secret.data()) ? "locked" : "not locked") << '\n';
  }
}
PROGRAM

c++ -Iroot/usr/include/botan-2 program.cc -o program root/usr/lib/x86_64-linux-gnu/libbotan-2.so.19 -Wl,--allow-shlib-undefined
LD_LIBRARY_PATH=$libraries ./program | tee seen

diff - seen <<'EXPECTED'
15 bytes: not locked
16 bytes: locked
256 bytes: locked
257 bytes: not locked
1024 bytes: not locked
EXPECTED
