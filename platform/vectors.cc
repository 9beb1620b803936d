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

enum class feature : unsigned char { avx2, avx512f };

// Asked of the processor, and not by __builtin_cpu_supports, for which not every compiler brings the run-time part: it has the
// instructions (leaf 7), and the system keeps the registers (OSXSAVE, and every part of them in XCR0). Intel 64 manual, 14.3.
bool detect(feature wanted) {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) return false;
  const unsigned kept_by_system = wanted == feature::avx2 ? 0b110 : 0b11100110;
  __asm__ volatile("xgetbv" : "=a"(a), "=d"(d) : "c"(0));
  if ((a & kept_by_system) != kept_by_system) return false;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (b & (wanted == feature::avx2 ? bit_AVX2 : bit_AVX512F)) != 0;
}

const bool has_avx2 = detect(feature::avx2);
const bool has_avx512f = detect(feature::avx512f);
#endif

}  // namespace

bool has_vectors_of_32() {
#if defined(__x86_64__) && !defined(_WIN32)
  return has_avx2;
#else
  return false;
#endif
}

// A register that a function must preserve (xmm6 to xmm15 on Windows, d8 to d15 on ARM) has the caller's own value again by now,
// and stays out of this: to wipe it, this function would save that value on the stack, where it would remain.
void wipe_vectors() {
#if defined(__x86_64__)
  // memcpy of the C library uses registers that this file's compiler may not know of.
#if !defined(_WIN32)
  if (has_avx512f) {
    __asm__ volatile(
        "vpxorq %%zmm16, %%zmm16, %%zmm16\n\tvpxorq %%zmm17, %%zmm17, %%zmm17\n\tvpxorq %%zmm18, %%zmm18, %%zmm18\n\t"
        "vpxorq %%zmm19, %%zmm19, %%zmm19\n\tvpxorq %%zmm20, %%zmm20, %%zmm20\n\tvpxorq %%zmm21, %%zmm21, %%zmm21\n\t"
        "vpxorq %%zmm22, %%zmm22, %%zmm22\n\tvpxorq %%zmm23, %%zmm23, %%zmm23\n\tvpxorq %%zmm24, %%zmm24, %%zmm24\n\t"
        "vpxorq %%zmm25, %%zmm25, %%zmm25\n\tvpxorq %%zmm26, %%zmm26, %%zmm26\n\tvpxorq %%zmm27, %%zmm27, %%zmm27\n\t"
        "vpxorq %%zmm28, %%zmm28, %%zmm28\n\tvpxorq %%zmm29, %%zmm29, %%zmm29\n\tvpxorq %%zmm30, %%zmm30, %%zmm30\n\t"
        "vpxorq %%zmm31, %%zmm31, %%zmm31" ::
            :);
  }
  if (has_avx2) {
    __asm__ volatile("vzeroall" ::
                         : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11",
                           "xmm12", "xmm13", "xmm14", "xmm15");
    return;
  }
#endif
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\tpxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3\n\tpxor %%xmm4, %%xmm4\n\t"
      "pxor %%xmm5, %%xmm5" ::
          : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5");
#if !defined(_WIN32)
  __asm__ volatile(
      "pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\tpxor %%xmm8, %%xmm8\n\tpxor %%xmm9, %%xmm9\n\t"
      "pxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\tpxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\t"
      "pxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15" ::
          : "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
#endif
#elif defined(__aarch64__)
  // Of v8 to v15 only the lower halves, d8 to d15, are preserved.
  __asm__ volatile(
      "movi v0.16b, #0\n\tmovi v1.16b, #0\n\tmovi v2.16b, #0\n\tmovi v3.16b, #0\n\tmovi v4.16b, #0\n\tmovi v5.16b, #0\n\t"
      "movi v6.16b, #0\n\tmovi v7.16b, #0\n\tmov v8.d[1], xzr\n\tmov v9.d[1], xzr\n\tmov v10.d[1], xzr\n\t"
      "mov v11.d[1], xzr\n\tmov v12.d[1], xzr\n\tmov v13.d[1], xzr\n\tmov v14.d[1], xzr\n\tmov v15.d[1], xzr\n\t"
      "movi v16.16b, #0\n\tmovi v17.16b, #0\n\tmovi v18.16b, #0\n\tmovi v19.16b, #0\n\tmovi v20.16b, #0\n\t"
      "movi v21.16b, #0\n\tmovi v22.16b, #0\n\tmovi v23.16b, #0\n\tmovi v24.16b, #0\n\tmovi v25.16b, #0\n\t"
      "movi v26.16b, #0\n\tmovi v27.16b, #0\n\tmovi v28.16b, #0\n\tmovi v29.16b, #0\n\tmovi v30.16b, #0\n\t"
      "movi v31.16b, #0" ::
          : "v0", "v1", "v2", "v3", "v4", "v5", "v6", "v7", "v16", "v17", "v18", "v19", "v20", "v21", "v22", "v23", "v24",
            "v25", "v26", "v27", "v28", "v29", "v30", "v31");
#elif defined(__ARM_NEON)
  __asm__ volatile(
      "vmov.i32 q0, #0\n\tvmov.i32 q1, #0\n\tvmov.i32 q2, #0\n\tvmov.i32 q3, #0\n\tvmov.i32 q8, #0\n\tvmov.i32 q9, #0\n\t"
      "vmov.i32 q10, #0\n\tvmov.i32 q11, #0\n\tvmov.i32 q12, #0\n\tvmov.i32 q13, #0\n\tvmov.i32 q14, #0\n\tvmov.i32 q15, #0" ::
          : "q0", "q1", "q2", "q3", "q8", "q9", "q10", "q11", "q12", "q13", "q14", "q15");
#endif
}

bool all_zero(const std::byte* address, std::size_t size) {
#if defined(__x86_64__) && !defined(_WIN32)
  if (has_avx2) return none_set_avx2(address, size);
#endif
  return none_set<words_of_16>(address, size);
}

void copy(std::byte* to, const std::byte* from, std::size_t size) {
#if defined(__x86_64__)
  __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(size) : : "memory");
#else
  // Word by word, which no compiler turns into vectors.
  std::size_t word = 0;
  for (; size >= sizeof word; size -= sizeof word, to += sizeof word, from += sizeof word) {
    std::memcpy(&word, from, sizeof word);
    __asm__ volatile("" : "+r"(word));
    std::memcpy(to, &word, sizeof word);
  }
  for (; size != 0; --size) {
    word = static_cast<std::size_t>(*from++);
    __asm__ volatile("" : "+r"(word));
    *to++ = static_cast<std::byte>(word);
  }
  word = 0;
  __asm__ volatile("" : : "r"(word));
#endif
}

}  // namespace lockfast::platform
