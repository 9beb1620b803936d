// vectors.cc - the same loop over vectors of two sizes.
#include "platform/vectors.h"

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include <cstdint>
#include <cstring>

namespace lockfast::platform {
namespace {

using words_of_16 [[gnu::vector_size(16)]] = std::uint64_t;
using words_of_32 [[gnu::vector_size(32)]] = std::uint64_t;

// Inlined into functions for different processors.
template <class Words>
[[gnu::always_inline]] inline void look_at(const std::byte* address, Words& seen) {
  Words found;
  std::memcpy(&found, address, sizeof found);
  seen |= found;
}

template <class Words>
[[gnu::always_inline]] inline bool none_set(const std::byte* address, std::size_t size) {
  constexpr std::size_t width = sizeof(Words);
  const std::byte* const last = address + size - 4 * width;
  Words first = {};
  Words second = {};
  for (;; address += 4 * width) {
    // The last four may reach back over bytes that were looked at before.
    if (address > last) address = last;
    look_at(address, first);
    look_at(address + width, second);
    look_at(address + 2 * width, first);
    look_at(address + 3 * width, second);
    if (address == last) break;
  }
  first |= second;
  std::uint64_t any = 0;
  for (std::size_t word = 0; word < width / sizeof any; ++word) any |= first[word];
  return any == 0;
}

// Not on Windows, where gcc leaves vectors of 32 bytes on a stack that is aligned to 16.
#if defined(__x86_64__) && !defined(_WIN32)
[[gnu::target("avx2")]] bool none_set_avx2(const std::byte* address, std::size_t size) {
  return none_set<words_of_32>(address, size);
}

// Asked of the processor, and not by __builtin_cpu_supports, for which not every compiler brings the run-time part: it has the
// instructions (leaf 7), and the system keeps the registers (OSXSAVE, and both halves in XCR0). Intel 64 manual, 14.3.
bool detect_avx2() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) return false;
  constexpr unsigned kept_by_system = 0b110;
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  if ((a & kept_by_system) != kept_by_system) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & bit_AVX2) != 0;
}

const bool has_avx2 = detect_avx2();
#endif

}  // namespace

bool all_zero(const std::byte* address, std::size_t size) {
#if defined(__x86_64__) && !defined(_WIN32)
  if (has_avx2) return none_set_avx2(address, size);
#endif
  return none_set<words_of_16>(address, size);
}

}  // namespace lockfast::platform
