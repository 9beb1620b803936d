// heap_client.h - what the clients of other libraries' secure heaps share: blocks with a mark in them, searched for in memory that is
// not locked.
#ifndef LOCKFAST_TESTS_CLIENTS_HEAP_CLIENT_H
#define LOCKFAST_TESTS_CLIENTS_HEAP_CLIENT_H

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "support/unlocked_memory.h"

// Sixteen bytes, made here so that they are in no file, then the block's number.
struct marked {
  unsigned char begin[16];
  std::size_t which;

  explicit marked(std::size_t number) : which(number) {
    static const volatile unsigned twist = 0x5a;
    for (std::size_t at = 0; at < sizeof begin; ++at) begin[at] = static_cast<unsigned char>((at * 43 + 11) ^ twist);
  }
  ~marked() { explicit_bzero(this, sizeof *this); }
};

inline void mark(void* block, std::size_t which) {
  const marked made(which);
  std::memcpy(block, &made, sizeof made);
}
inline bool has_mark(const void* block, std::size_t which) {
  const marked expected(which);
  return std::memcmp(block, &expected, sizeof expected) == 0;
}
inline std::size_t plain_marks() {
  const marked wanted(0);
  return count_in_unlocked_memory(wanted.begin);
}

inline int fail(const char* what) {
  std::fprintf(stderr, "failed: %s\n", what);
  return 1;
}

// Exit status: 0 as expected ("held": no plain mark; "fell": some), 1 not, 77 where this memory cannot be searched.
inline int verdict(std::string_view expected, std::size_t plain, std::size_t blocks) {
  if (plain == SIZE_MAX) return 77;
  std::printf("%zu of %zu blocks are plain in unlocked memory\n", plain, blocks);
  if (expected == "held") return plain == 0 ? 0 : fail("a plain block");
  return plain != 0 ? 0 : fail("the control finds nothing");
}

#endif
