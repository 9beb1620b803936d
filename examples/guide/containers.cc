// containers.cc - containers of the standard library in locked memory.
#include <lockfast/allocator.hpp>

#include <cstdio>
#include <map>
#include <vector>

int main() {
  lockfast::vector<char> typed;
  for (char each = 'a'; each <= 'z'; ++each) typed.push_back(each);  // each place that it outgrows is wiped
  lockfast::memory_resource pool;
  std::pmr::map<int, std::pmr::vector<std::byte>> keys(&pool);  // nodes and elements alike
  keys[1].resize(32);
  std::printf("%zu characters, %zu key\n", typed.size(), keys.size());
}
