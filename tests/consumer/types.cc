// types.cc - a program on the C++ types that need the C library alone, from C++20 on; status 0, or 1 after the line of a fault. With
// OTHER_STANDARD it calls the main of the same file, compiled in another standard.
#include <lockfast/lockfast.hpp>

#include <array>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <list>
#include <map>
#include <memory_resource>
#include <string>
#include <utility>

#ifdef OTHER_STANDARD
int OTHER_STANDARD();
#endif

namespace {

#define REQUIRE(holds)                                                           \
  do {                                                                           \
    if (!(holds)) std::printf("line %d: %s\n", __LINE__, #holds), std::_Exit(1); \
  } while (false)

void try_secrets() {
  auto key = lockfast::buffer<std::byte>::random(32);
  REQUIRE(key && key.has_value() && key->size() == 32);
  key->write()[0] = std::byte{1};
  const auto copy = key->copy();
  REQUIRE(copy && *copy == *key && copy.value().read()[0] == std::byte{1});
  const auto refused = lockfast::buffer<char>::zeroed(0);
  REQUIRE(!refused && refused.error() == lockfast::memory_error::zero_size);
  REQUIRE(key->shorten(16) && key->size() == 16);
  const auto filled =
      lockfast::buffer<char>::filled(8, [](std::span<char>) -> lockfast::expected<void, lockfast::memory_error> {
        return lockfast::unexpected(lockfast::memory_error::cancelled);
      });
  REQUIRE(!filled && filled.error() == lockfast::memory_error::cancelled);
#if defined(__cpp_exceptions)
  try {
    (void)refused.value();
    REQUIRE(false);
  } catch (const lockfast::bad_expected_access<lockfast::memory_error>& thrown) {
    REQUIRE(*thrown.what() != '\0' && thrown.error() == lockfast::memory_error::zero_size);
  }
  try {
    (void)filled.value();
    REQUIRE(false);
  } catch (const lockfast::bad_expected_access<void>& thrown) {
    REQUIRE(*thrown.what() != '\0');
  }
#endif
  auto box = lockfast::boxed<std::array<int, 4>>::zeroed();
  REQUIRE(box);
  (*box->write())[0] = 7;
  REQUIRE((*std::as_const(*box).read())[0] == 7 && (*box->try_read().value())[0] == 7);
  const lockfast::boxed<std::array<int, 4>> kept = *std::move(box);
  REQUIRE(box->empty() && box->try_read().error() == lockfast::memory_error::wiped && !kept.empty());
}

void try_containers() {
  lockfast::string text = "abc";
  REQUIRE(lockfast_size(text.data()) > text.size());
  const lockfast::string joined = "x" + text + 'y' + std::string_view("z") + text + std::string("s");
  REQUIRE(joined == "xabcyzabcs" && joined.find(text) == 1 && "w" < joined && joined.substr(1, 3) == text);
  text.insert(0, 1, '-').append(2, '+').replace(0, 1, "--").erase(text.begin());
  REQUIRE(text == "-abc++" && std::string(text) == "-abc++");
  const std::list<char> chain = {'l', 'i', 's', 't'};
  lockfast::string changed("abc", lockfast::allocator<char>());
  changed.replace(changed.begin(), changed.end(), chain.begin(), chain.end()).insert(changed.begin(), {'a', ' '});
  REQUIRE(changed == "a list" && changed.find_first_of('l') == 2 && changed.compare(2, 2, "alias", 1, 2) == 0);
  REQUIRE(erase(changed, ' ') == 1 && std::hash<lockfast::string>()(changed) == std::hash<std::string_view>()("alist"));
  const std::basic_string<char, std::char_traits<char>, lockfast::allocator<char>> basic = "basic";
  changed = basic;
  REQUIRE([](lockfast::string given) { return given; }(basic) == changed);
  std::map<lockfast::string, int, std::less<>> table;
  table["k"] = 1;
  REQUIRE(table.contains(std::string_view("k")));
  const lockfast::vector<int> numbers(1000, 5);
  REQUIRE(lockfast_size(numbers.data()) >= 1000 * sizeof(int));
  lockfast::memory_resource pool;
  const std::pmr::string line("a line that is longer than the object itself", &pool);
  REQUIRE(lockfast_size(line.data()) != 0);
  REQUIRE(lockfast_audit() == 0);
}

#if defined(__cpp_lib_format_ranges)
// In C++23 every range is printed by std::format. Not these: a secret would be left in buffers that nobody wipes.
static_assert(std::formattable<std::string_view, char> && std::formattable<lockfast::vector<char>, char>);
static_assert(!std::formattable<lockfast::string, char> && !std::formattable<const lockfast::string, char>);
static_assert(!std::formattable<lockfast::buffer<char>::read_view, char>);
static_assert(!std::formattable<lockfast::buffer<int>::write_view, char>);
#endif

}  // namespace

int main() {
  try_secrets();
  try_containers();
#ifdef OTHER_STANDARD
  return OTHER_STANDARD();
#else
  return 0;
#endif
}
