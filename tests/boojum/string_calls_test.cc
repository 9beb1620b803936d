// string_calls_test.cc - each member function of std::string, in each form, does the same with lockfast::string.
#include <doctest/doctest.h>
#include <lockfast/allocator.hpp>

#include <array>
#include <cstddef>
#include <iterator>
#include <list>
#include <memory>
#include <ranges>
#include <sstream>
#include <string>
#include <string_view>
#include <type_traits>
#include <unordered_set>
#include <utility>
#include <vector>

#include "boojum/same_string.h"

namespace {

// What converts to text in one way each.
struct pointing {
  operator const char*() const { return "bca"; }
};
struct viewing {
  operator std::string_view() const { return "cab"; }
};
struct both {
  operator const char*() const { return "bc"; }
  operator std::string_view() const { return "bc"; }
};

// Characters that are not in a row, and those that a stream gives once.
const std::list<char> chain = {'x', 'b', 'y'};
std::istream_iterator<char> typed(std::istringstream& in) {
  in.unsetf(std::ios::skipws);
  return std::istream_iterator<char>(in);
}

constexpr std::size_t npos = std::string::npos;

template <class Text>
auto middle(Text& text) {
  return text.begin() + static_cast<std::ptrdiff_t>(text.size() / 2);
}

// Which sign a comparison has.
constexpr int sign(int number) { return (number > 0) - (number < 0); }

}  // namespace

TEST_CASE("a string is made in each way in which std::string is") {
  SAME(text());
  SAME(text(typename text::allocator_type()));
  SAME(text(s));
  SAME(text(s, s.get_allocator()));
  SAME(text(std::move(s), typename text::allocator_type()));
  SAME(text(s, 2));
  SAME(text(s, 2, s.get_allocator()));
  SAME(text(s, 1, 2));
  SAME(text(s, 1, npos, s.get_allocator()));
  SAME(text("abc"));
  SAME(text("abc", s.get_allocator()));
  SAME(text("abc", 2));
  SAME(text("abc", 2, s.get_allocator()));
  SAME(text("abcdef", 1, 2));
  SAME(text(3, 'x'));
  SAME(text(3, 'x', s.get_allocator()));
  SAME(text{3, 'x'});
  SAME(text({'x', 'y'}));
  SAME(text({'x', 'y'}, s.get_allocator()));
  SAME(text(std::string_view("abc")));
  SAME(text(std::string_view("abc"), s.get_allocator()));
  SAME(text(std::string_view("abc"), 1, 1));
  SAME(text(std::string_view("abc"), 4, 1));
  SAME(text(std::string_view("abc"), 1, 1, s.get_allocator()));
  SAME(text(pointing()));
  SAME(text(viewing()));
  SAME(text(both()));
  SAME(text(chain.begin(), chain.end()));
  SAME(text(chain.begin(), chain.end(), s.get_allocator()));
  SAME(text(s.rbegin(), s.rend()));
  SAME(std::make_obj_using_allocator<text>(s.get_allocator(), "abc"));
  SAME(std::make_obj_using_allocator<text>(s.get_allocator(), std::move(s)));
#if defined(__cpp_lib_containers_ranges)
  SAME(text(std::from_range, chain));
  SAME(text(std::from_range, s | std::views::reverse, s.get_allocator()));
#endif
}

TEST_CASE("a string is assigned in each way in which std::string is") {
  SAME(s = text("abc"));
  SAME(s = s);
  SAME(s = "abc");
  SAME(s = 'c');
  SAME(s = {'x', 'y'});
  SAME(s = {});
  SAME(s = {"abc", 2});
  SAME(s = std::string_view("abc"));
  SAME(s = pointing());
  SAME(s = viewing());
  SAME(s = both());
  SAME(s.assign(text("abc")));
  SAME(s.assign(s));
  SAME(s.assign(s, 1));
  SAME(s.assign(s, 1, 2));
  SAME(s.assign("abc"));
  SAME(s.assign("abc", 2));
  SAME(s.assign("abcdef", 1, 2));
  SAME(s.assign(s.data(), s.empty() ? 0 : 1));  // of an empty one std::string takes a byte behind its end
  SAME(s.assign({"abc", 2}));
  SAME(s.assign({'x', 'y'}));
  SAME(s.assign(3, 'x'));
  SAME(s.assign(0, 'x'));
  SAME(s.assign(std::string_view("abc")));
  SAME(s.assign(std::string_view("abc"), 1));
  SAME(s.assign(std::string_view("abc"), 1, 1));
  SAME(s.assign(std::string_view("abc"), 4));
  SAME(s.assign(pointing()));
  SAME(s.assign(viewing()));
  SAME(s.assign(both()));
  SAME(s.assign(chain.begin(), chain.end()));
  SAME(s.assign(middle(s), s.end()));
#if defined(__cpp_lib_containers_ranges)
  SAME(s.assign_range(s | std::views::reverse));
#endif
}

TEST_CASE("text is put at the end in each way in which std::string takes it") {
  SAME(s.append(s));
  SAME(s.append(s, 1));
  SAME(s.append(s, 1, 2));
  SAME(s.append(s, 100));
  SAME(s.append("abc"));
  SAME(s.append("abc", 2));
  SAME(s.append("abcdef", 1, 2));
  SAME(s.append(s.data(), s.size() / 2));
  SAME(s.append({"abc", 2}));
  SAME(s.append({'x', 'y'}));
  SAME(s.append(3, 'x'));
  SAME(s.append(0, 'x'));
  SAME(s.append(std::string_view("abc")));
  SAME(s.append(std::string_view("abc"), 1));
  SAME(s.append(std::string_view("abc"), 1, 1));
  SAME(s.append(pointing()));
  SAME(s.append(viewing()));
  SAME(s.append(both()));
  SAME(s.append(chain.begin(), chain.end()));
  SAME(s.append(s.begin(), s.end()));
  SAME(s += s);
  SAME(s += "abc");
  SAME(s += 'c');
  SAME(s += 65);
  SAME(s += {'x', 'y'});
  SAME(s += std::string_view("abc"));
  SAME(s += pointing());
  SAME(s += viewing());
  SAME(s.push_back('c'));
#if defined(__cpp_lib_containers_ranges)
  SAME(s.append_range(chain));
  SAME(s.append_range(s | std::views::reverse));
#endif
}

TEST_CASE("text is put before a character in each way in which std::string takes it") {
  SAME(s.insert(1, s));
  SAME(s.insert(1, s, 1));
  SAME(s.insert(0, s, 1, 2));
  SAME(s.insert(1, "abc"));
  SAME(s.insert(100, "abc"));
  SAME(s.insert(1, "abc", 2));
  SAME(s.insert(1, "abcdef", 1, 2));
  SAME(s.insert(0, {"abc", 2}));
  SAME(s.insert(1, 3, 'x'));
  SAME(s.insert(0, 0, 'x'));
  SAME(s.insert(1, std::string_view("abc")));
  SAME(s.insert(1, std::string_view("abc"), 1));
  SAME(s.insert(1, std::string_view("abc"), 1, 1));
  SAME(s.insert(1, pointing()));
  SAME(s.insert(1, viewing()));
  SAME(s.insert(1, both()));
  SAME(s.insert(s.begin(), 'c'));
  SAME(s.insert(s.cend(), 'c'));
  SAME(s.insert(middle(s), 3, 'x'));
  SAME(s.insert(s.begin(), {'x', 'y'}));
  SAME(s.insert(s.cbegin(), chain.begin(), chain.end()));
  SAME(s.insert(s.end(), s.begin(), s.end()));
#if defined(__cpp_lib_containers_ranges)
  SAME(s.insert_range(s.begin(), chain));
  SAME(s.insert_range(s.cend(), s | std::views::reverse));
#endif
}

TEST_CASE("text is put in the place of other in each way in which std::string takes it") {
  SAME(s.replace(0, 2, s));
  SAME(s.replace(1, 1, s));
  SAME(s.replace(1, npos, s, 1));
  SAME(s.replace(0, 1, s, 1, 2));
  SAME(s.replace(0, 2, "abc"));
  SAME(s.replace(0, 0, "abc"));
  SAME(s.replace(100, 0, "abc"));
  SAME(s.replace(0, 2, "abc", 2));
  SAME(s.replace(0, 2, "abcdef", 1, 2));
  SAME(s.replace(0, 2, {"abc", 2}));
  SAME(s.replace(0, 2, 3, 'x'));
  SAME(s.replace(0, 0, 0, 'x'));
  SAME(s.replace(0, 2, std::string_view("abc")));
  SAME(s.replace(0, 2, std::string_view("abc"), 1));
  SAME(s.replace(0, 2, std::string_view("abc"), 1, 1));
  SAME(s.replace(0, 2, pointing()));
  SAME(s.replace(0, 2, viewing()));
  SAME(s.replace(0, 2, both()));
  SAME(s.replace(s.begin(), s.end(), s));
  SAME(s.replace(s.begin(), s.begin(), s));
  SAME(s.replace(s.cbegin(), s.cend(), "abc"));
  SAME(s.replace(s.begin(), s.cend(), "abc", 2));
  SAME(s.replace(s.begin(), s.end(), 3, 'x'));
  SAME(s.replace(s.begin(), s.end(), {'x', 'y'}));
  SAME(s.replace(s.begin(), s.end(), std::string_view("abc")));
  SAME(s.replace(s.begin(), s.end(), pointing()));
  SAME(s.replace(s.begin(), s.end(), viewing()));
  SAME(s.replace(s.begin(), s.end(), chain.begin(), chain.end()));
  SAME(s.replace(s.begin(), middle(s), middle(s), s.end()));
  SAME(s.replace(s.begin(), s.end(), s.data(), s.data() + s.size() / 2));
#if defined(__cpp_lib_containers_ranges)
  SAME(s.replace_with_range(s.begin(), s.end(), chain));
#endif
}

TEST_CASE("a text is found, or its characters are, in each way in which std::string looks") {
#define SAME_SEARCHES(name)                                                   \
  SAME(s.name(text("bc")));                                                   \
  SAME(s.name(text("bc"), 2));                                                \
  SAME(s.name(s, 1));                                                         \
  SAME(s.name("bc"));                                                         \
  SAME(s.name("bc", 2));                                                      \
  SAME(s.name("bcx", 2, 2));                                                  \
  SAME(s.name("", 1));                                                        \
  SAME(s.name({"bc", 1}, 1));                                                 \
  SAME(s.name('b'));                                                          \
  SAME(s.name('b', 2));                                                       \
  SAME(s.name('b', 100));                                                     \
  SAME(s.name(std::string_view("ca")));                                       \
  SAME(s.name(std::string_view("ca"), 3));                                    \
  SAME(s.name(pointing()));                                                   \
  SAME(s.name(viewing(), 1));                                                 \
  SAME(s.name(both(), 1));                                                    \
  static_assert(noexcept(std::declval<const lockfast::string&>().name('b'))); \
  static_assert(noexcept(std::declval<const lockfast::string&>().name(std::declval<const lockfast::string&>())))
  SAME_SEARCHES(find);
  SAME_SEARCHES(rfind);
  SAME_SEARCHES(find_first_of);
  SAME_SEARCHES(find_last_of);
  SAME_SEARCHES(find_first_not_of);
  SAME_SEARCHES(find_last_not_of);
#undef SAME_SEARCHES
}

TEST_CASE("a text, or a part of it, is compared in each way in which std::string compares") {
  SAME(sign(s.compare(text("abcabd"))));
  SAME(sign(s.compare("abcabb")));
  SAME(sign(s.compare({"abcabb", 3})));
  SAME(sign(s.compare(std::string_view("abcabc"))));
  SAME(sign(s.compare(pointing())));
  SAME(sign(s.compare(viewing())));
  SAME(sign(s.compare(1, 2, s)));
  SAME(sign(s.compare(1, 2, text("bc"))));
  SAME(sign(s.compare(1, 2, "bc")));
  SAME(sign(s.compare(100, 2, "bc")));
  SAME(sign(s.compare(1, 2, "bcd", 2)));
  SAME(sign(s.compare(1, 2, "abcd", 1, 2)));
  SAME(sign(s.compare(1, 2, s, 1)));
  SAME(sign(s.compare(0, 2, s, 1, 2)));
  SAME(sign(s.compare(1, 2, pointing())));
  // From 0 on, since libstdc++ 12 ends the program if this index is out of range.
  SAME(sign(s.compare(0, 2, std::string_view("bc"))));
  SAME(sign(s.compare(0, 2, viewing())));
  SAME(sign(s.compare(0, 2, std::string_view("abc"), 1)));
  SAME(sign(s.compare(0, 2, std::string_view("abc"), 1, 1)));
  SAME(s == s);
  SAME(s == text("bca"));
  SAME("bca" == s);
  SAME(s != "bca");
  SAME(s < "bcb");
  SAME("bcb" >= s);
  SAME(s <=> "b" < 0);
  SAME(s.starts_with("bc"));
  SAME(s.starts_with('b'));
  SAME(s.starts_with(std::string_view("abc")));
  SAME(s.starts_with(text("abc")));
  SAME(s.ends_with("bc"));
  SAME(s.ends_with('c'));
  SAME(s.ends_with(std::string_view("abc")));
  SAME(s.ends_with(text("abc")));
#if defined(__cpp_lib_string_contains)
  SAME(s.contains("ca"));
  SAME(s.contains('c'));
  SAME(s.contains(std::string_view("ca")));
  SAME(s.contains(text("ca")));
#endif
}

TEST_CASE("characters are read, moved, taken away and joined as those of std::string are") {
  SAME(s.empty());
  SAME(s.size() + s.length());
  SAME(s.at(1));
  SAME(s.at(2) = 'x');
  SAME(s[0]);
  SAME(std::as_const(s)[s.size()]);
  SAME(s.begin());
  SAME(s.cend());
  SAME(text(s.crbegin(), s.crend()));
  SAME(s.substr());
  SAME(s.substr(1));
  SAME(s.substr(1, 3));
  SAME(s.substr(100));
  SAME(s.erase());
  SAME(s.erase(1));
  SAME(s.erase(1, 2));
  SAME(s.erase(0, 0));
  SAME(s.erase(100));
  SAME(s.erase(s.begin(), s.cend()));
  SAME(s.append("-").erase(s.begin()));
  SAME(s.append("-").erase(s.cend() - 1));
  SAME(s.append("-").pop_back());
  SAME(s.append("-").back() = '+');
  SAME(s.insert(0, "-").front() = '+');
  SAME(s.clear());
  SAME(s.resize(2));
  SAME(s.resize(100, 'x'));
  SAME(s.reserve(1000));
  SAME(s.shrink_to_fit());
  SAME(erase(s, 'b'));
  SAME(erase_if(s, [](char each) { return each != 'b'; }));
  SAME(std::hash<text>()(s) == std::hash<std::string_view>()(s));
  SAME(std::unordered_set<text>{s, "abc", "abc"}.size());
  SAME(s + s);
  SAME(s + "-");
  SAME("-" + s);
  SAME(s + '-');
  SAME('-' + s);
  SAME(std::move(s) + s);
  SAME(s + text("-"));
  SAME(std::move(s) + text("-"));
  SAME(text("-") + std::move(s));
  SAME("-" + std::move(s));
  SAME('-' + (std::move(s) + '-'));
#if defined(__cpp_lib_string_resize_and_overwrite)
  SAME(s.resize_and_overwrite(8, [](char* to, std::size_t count) {
    for (std::size_t at = 0; at <= count; ++at) to[at] = 'x';
    return count - 3;
  }));
  SAME(s.resize_and_overwrite(2, [](char* to, std::size_t count) { return to[0] = to[1] = '-', count; }));
  SAME(s.resize_and_overwrite(0, [](char*, std::size_t count) { return count; }));
#endif
  std::array<char, 8> theirs = {};
  std::array<char, 8> ours = {};
  CHECK(lockfast::string("abcdef").copy(ours.data(), 3, 1) == std::string("abcdef").copy(theirs.data(), 3, 1));
  CHECK(ours == theirs);
  std::istringstream in("typed twice");
  CHECK(lockfast::string(typed(in), std::istream_iterator<char>()) == "typed twice");
}

TEST_CASE("a string of the standard library in memory for secrets becomes one of ours, and nothing else does by itself") {
  using basic = std::basic_string<char, std::char_traits<char>, lockfast::allocator<char>>;
  const basic before = "abc";
  const lockfast::string after = before;
  CHECK(after == before);
  CHECK(lockfast_size(after.data()) != 0);
  static_assert(!std::is_convertible_v<std::string, lockfast::string> &&
                std::is_constructible_v<lockfast::string, std::string>);
  static_assert(!std::is_convertible_v<std::string_view, lockfast::string>);
  static_assert(std::is_convertible_v<const char*, lockfast::string>);
  static_assert(!std::is_constructible_v<lockfast::string, std::nullptr_t>);
  static_assert(!std::is_assignable_v<lockfast::string&, std::nullptr_t>);
  static_assert(std::uses_allocator_v<lockfast::string, lockfast::allocator<int>>);
  static_assert(std::is_nothrow_move_constructible_v<lockfast::string> && std::is_nothrow_move_assignable_v<lockfast::string>);
}
