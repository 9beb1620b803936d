// allocator_test.cc - the standard library's containers in memory for secrets.
#include <doctest/doctest.h>
#include <lockfast/allocator.hpp>

#include <algorithm>
#include <list>
#include <map>
#include <memory>

using namespace lockfast;

namespace {

struct alignas(256) wide {
  char bytes[256];
};

bool is_ours(const void* address) { return lockfast_size(address) != 0; }

std::size_t live_secrets() {
  struct lockfast_statistics now = {};
  lockfast_get_statistics(&now);
  return now.live;
}

}  // namespace

static_assert(std::allocator_traits<allocator<int>>::is_always_equal::value);

TEST_CASE("containers of every kind live in memory for secrets, and give it back") {
  const std::size_t before = live_secrets();
  {
    vector<int> numbers;
    for (int each = 0; each < 10000; ++each) numbers.push_back(each);
    CHECK(numbers[9999] == 9999);
    CHECK(allocator<int>() == allocator<char>());
    CHECK(is_ours(numbers.data()));
    const vector<wide> aligned(3);
    CHECK(reinterpret_cast<std::uintptr_t>(aligned.data()) % alignof(wide) == 0);
    const string text(100, 'x');
    CHECK(is_ours(text.data()));
    const std::list<int, allocator<int>> chain = {1, 2, 3};
    CHECK(chain.size() == 3);
    std::map<int, int, std::less<>, allocator<std::pair<const int, int>>> table = {{1, 2}};
    table[3] = 4;
    CHECK(live_secrets() == before + 3 + 3 + 2);
    CHECK(lockfast_audit() == 0);
  }
  CHECK(live_secrets() == before);
}

TEST_CASE("a memory resource serves polymorphic containers, and any other frees what one allocated") {
  const std::size_t before = live_secrets();
  memory_resource first;
  memory_resource second;
  CHECK(first == second);
  CHECK_FALSE(first == *std::pmr::new_delete_resource());
  {
    std::pmr::vector<std::pmr::string> lines(&first);
    lines.emplace_back("a line that is longer than what the object itself holds");
    CHECK(is_ours(lines.data()));
    CHECK(is_ours(lines[0].data()));
  }
  void* const made = first.allocate(100, 64);
  CHECK(reinterpret_cast<std::uintptr_t>(made) % 64 == 0);
  second.deallocate(made, 100, 64);
  CHECK(live_secrets() == before);
}

TEST_CASE("what cannot be had is std::bad_alloc, as the standard library wants it") {
  CHECK_THROWS_AS((void)allocator<long>().allocate(SIZE_MAX / 4), std::bad_alloc);
  CHECK_THROWS_AS((void)allocator<char>().allocate(SIZE_MAX / 2), std::bad_alloc);
  memory_resource pool;
  CHECK_THROWS_AS((void)pool.allocate(SIZE_MAX / 2), std::bad_alloc);
}
