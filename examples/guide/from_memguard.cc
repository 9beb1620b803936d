// from_memguard.cc - what a program of memguard does, in C++.
#include <lockfast/lockfast.hpp>

#include <cstdio>

using namespace lockfast;

int main() {
  auto key = buffer<std::byte>::random(32);  // NewBufferRandom: a LockedBuffer, but closed while there is no view
  if (!key) return std::puts(message(key.error()).data());
  { auto view = key->write(); view[0] = std::byte{1}; }              // Melt, Bytes, Freeze
  if (auto view = key->read(); view[0] != std::byte{1}) return 1;    // Bytes

  vault enclaves;
  const auto sealed = enclaves.insert(std::move(*key));  // Seal: encrypted in ordinary memory
  if (!sealed) return 1;
  const auto size = enclaves.use(*sealed, [](std::span<const std::byte> bytes) { return bytes.size(); });  // Open, Destroy
  if (!size) return 1;
  std::printf("%zu bytes\n", *size);
  lockfast_wipe_all();  // Purge
}
