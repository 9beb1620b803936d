// stack_search.h - what a call has left on the stack below its caller's frame.
//
// What is counted is kept before doctest's own calls, which write over what is left:
//
//    paint_stack();
//    what_is_tested();
//    const std::size_t left = count_on_stack(secret);
//    CHECK(left == 0);
#ifndef LOCKFAST_TESTS_SUPPORT_STACK_SEARCH_H
#define LOCKFAST_TESTS_SUPPORT_STACK_SEARCH_H

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

// More than the frames of a call take, below the caller's own.
inline constexpr std::size_t searched_size = std::size_t{8} << 10;

[[gnu::noinline]] inline void paint_stack() {
  std::byte area[searched_size];
  std::memset(area, 0xa5, sizeof area);
  __asm__ volatile("" : : "r"(area) : "memory");
}

// How many of the words of `wanted` lie in what earlier calls left on the stack.
[[gnu::noinline]] inline std::size_t count_on_stack(const std::vector<std::uint32_t>& wanted) {
  std::uint32_t area[searched_size / sizeof(std::uint32_t)];
  __asm__ volatile("" : "=m"(area));
  std::size_t seen = 0;
  for (const std::uint32_t word : area) seen += static_cast<std::size_t>(std::ranges::count(wanted, word));
  return seen;
}

// By no variable of its own, which would lie on the stack where paint_stack() does not reach (GCC 12 for AArch64, -O1).
inline void add_words(std::vector<std::uint32_t>& to, const std::vector<std::byte>& from) {
  for (std::size_t at = 0; at + 4 <= from.size(); at += 4) std::memcpy(&to.emplace_back(), from.data() + at, 4);
}

[[gnu::noinline]] inline void leave_on_stack(const std::vector<std::byte>& secret) {
  std::byte copy[256];
  std::memcpy(copy + 64, secret.data(), secret.size());
  __asm__ volatile("" : : "r"(copy) : "memory");
}

#endif
