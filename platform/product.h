// product.h - the whole product of two words, with what the processor has.
//
// Threads: no state.
#ifndef LOCKFAST_PLATFORM_PRODUCT_H
#define LOCKFAST_PLATFORM_PRODUCT_H

#include <cstdint>

namespace lockfast::platform {

// The two halves of the product a * b, one upon the other.
inline std::uint64_t folded_product(std::uint64_t a, std::uint64_t b) {
#if defined(__x86_64__)
  // For a type of 128 bits the compiler reserves registers in pairs, and a warm pair of calls then saves four more of them.
  std::uint64_t high;
  __asm__("mulq %2" : "+a"(a), "=d"(high) : "r"(b) : "cc");
  return a ^ high;
#elif defined(__SIZEOF_INT128__)
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
  constexpr std::uint64_t low = 0xffffffffU;
  const std::uint64_t cross = (a >> 32) * (b & low) + (((a & low) * (b & low)) >> 32);
  const std::uint64_t middle = (a & low) * (b >> 32) + (cross & low);
  return (a * b) ^ ((a >> 32) * (b >> 32) + (cross >> 32) + (middle >> 32));
#endif
}

}  // namespace lockfast::platform

#endif
