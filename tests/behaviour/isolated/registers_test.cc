// registers_test.cc - what a copied secret leaves in the processor's registers.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__)
#include <cpuid.h>

namespace {

// All registers of vectors, as the processor itself writes them down (XSAVE, Intel 64 manual, 13.7).
struct alignas(64) registers {
  unsigned char bytes[16384];
};
registers saved;

[[gnu::always_inline]] inline void save_registers() {
  __asm__ volatile("xsave64 %0" : "+m"(saved) : "a"(~0U), "d"(~0U));
}

bool has_xsave() {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & bit_OSXSAVE) == 0 || (c & bit_AVX) == 0) return false;
  return __get_cpuid_count(0xd, 0, &a, &b, &c, &d) != 0 && b <= sizeof saved.bytes;
}

constexpr unsigned char mark = 0xa7;

// How many bytes of the secret the registers hold, in pieces of eight.
std::size_t marks_saved() {
  std::size_t count = 0;
  for (std::size_t at = 0; at + 8 <= sizeof saved.bytes; at += 8) {
    std::size_t same = 0;
    while (same < 8 && saved.bytes[at + same] == mark) ++same;
    if (same == 8) count += 8;
  }
  return count;
}

}  // namespace

TEST_CASE("realloc leaves no byte of the secret in a register of vectors") {
  if (!has_xsave()) {
    MESSAGE("skipped: the processor does not write its registers down");
    return;
  }
  struct lockfast_compartment* const in = lockfast_compartment_create();
  REQUIRE(in != nullptr);
  for (const std::size_t size : {16U, 32U, 500U, 5000U, 40000U}) {
    for (const int kind : {0, 1, 2}) {
      CAPTURE(size);
      CAPTURE(kind);
      void* secret = kind == 0   ? lockfast_malloc(size)
                     : kind == 1 ? lockfast_malloc_isolated(size)
                                 : lockfast_compartment_malloc(in, size);
      REQUIRE(secret != nullptr);
      // Byte by byte, or the marks would be in registers before.
      for (std::size_t at = 0; at < size; ++at) static_cast<volatile unsigned char*>(secret)[at] = mark;
      std::memset(saved.bytes, 0, sizeof saved.bytes);
      __asm__ volatile("vzeroall" : : : "memory");
      secret = lockfast_realloc(secret, 2 * size);
      save_registers();
      const std::size_t left = marks_saved();
      CHECK(left == 0);
      REQUIRE(secret != nullptr);
      lockfast_free(secret);
    }
  }
  lockfast_compartment_destroy(in);
}
#endif
