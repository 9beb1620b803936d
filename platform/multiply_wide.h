// multiply_wide.h - the whole product of two words, with what the processor has.
//
// Threads: no state.
#ifndef LOCKFAST_PLATFORM_MULTIPLY_WIDE_H
#define LOCKFAST_PLATFORM_MULTIPLY_WIDE_H

#include <cstdint>

namespace lockfast::platform {

struct wide_product {
  std::uint64_t high;
  std::uint64_t low;

  // The product a * b.
  wide_product(std::uint64_t a, std::uint64_t b) {
#if defined(__x86_64__)
    // For a type of 128 bits the compiler reserves registers in pairs, and a warm pair of calls then saves four more of them.
    // Where it may choose, clang puts a factor on the stack: key material, which would stay there.
#if defined(__clang__)
    __asm__("mulq %3" : "=a"(low), "=d"(high) : "%0"(a), "r"(b) : "cc");
#else
    __asm__("mulq %3" : "=a"(low), "=d"(high) : "%0"(a), "rm"(b) : "cc");
#endif
#elif defined(__SIZEOF_INT128__)
    __extension__ using wide = unsigned __int128;
    const wide whole = static_cast<wide>(a) * b;
    high = static_cast<std::uint64_t>(whole >> 64);
    low = static_cast<std::uint64_t>(whole);
#else
    constexpr std::uint64_t half = 0xffffffffU;
    const std::uint64_t cross = (a >> 32) * (b & half) + (((a & half) * (b & half)) >> 32);
    const std::uint64_t middle = (a & half) * (b >> 32) + (cross & half);
    high = (a >> 32) * (b >> 32) + (cross >> 32) + (middle >> 32);
    low = a * b;
#endif
  }

  // The two halves, one upon the other.
  [[nodiscard]] std::uint64_t folded() const { return high ^ low; }
};

}  // namespace lockfast::platform

#endif
