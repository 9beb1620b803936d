// headers.cc - a C++ program on the header-only types, with the C library alone.
#include <lockfast/allocator.hpp>
#include <lockfast/secret.hpp>

#include <algorithm>

int main() {
  const auto key = lockfast::buffer<unsigned char>::zeroed(32);
  if (!key || std::ranges::count(key->read(), 0) != 32) return 1;
  const lockfast::vector<int> numbers(1000, 5);
  return lockfast_size(numbers.data()) >= 1000 * sizeof(int) && lockfast_audit() == 0 ? 0 : 2;
}
