// leaving_equal.h - a planted timing leak, which each proof of constant time must find.
#ifndef LOCKFAST_TESTS_PROVE_LEAVING_EQUAL_H
#define LOCKFAST_TESTS_PROVE_LEAVING_EQUAL_H

#include <cstddef>

// Equal, but it leaves at the first difference.
[[gnu::noinline]] inline int leaving_equal(const std::byte* a, const std::byte* b, std::size_t size) {
  const auto* const from = reinterpret_cast<const volatile unsigned char*>(a);
  const auto* const to = reinterpret_cast<const volatile unsigned char*>(b);
  for (std::size_t at = 0; at < size; ++at) {
    if (from[at] != to[at]) return 0;
  }
  return 1;
}

#endif
