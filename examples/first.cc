// first.cc - the first secret in C++: a buffer, and a view that opens it.
#include <lockfast/secret.hpp>
#include <cstdio>

int main() {
  auto key = lockfast::buffer<std::byte>::random(32);  // std::expected: a refusal is a value
  if (!key) return std::puts(message(key.error()).data());
  auto view = key->write();                            // closed again when the last view goes
  view[0] = std::byte{1};
}
