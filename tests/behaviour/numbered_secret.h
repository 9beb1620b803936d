// numbered_secret.h - secrets that a search of this process's memory can tell from everything else, and from one another.
#ifndef LOCKFAST_TESTS_BEHAVIOUR_NUMBERED_SECRET_H
#define LOCKFAST_TESTS_BEHAVIOUR_NUMBERED_SECRET_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "support/unlocked_memory.h"

// Sixteen bytes that begin every secret, made here so that they are in no file, then its number.
struct numbered_secret {
  explicit numbered_secret(std::uint64_t number) : which(number), again(~number) {
    static const volatile unsigned twist = 0xa5;
    for (std::size_t at = 0; at < sizeof begin; ++at) begin[at] = static_cast<unsigned char>((at * 37 + 11) ^ twist);
  }

  unsigned char begin[16];
  std::uint64_t which;
  std::uint64_t again;
};

inline void write_into(void* secret, std::uint64_t number) {
  numbered_secret made(number);
  std::memcpy(secret, &made, sizeof made);
  lockfast_wipe(&made, sizeof made);
}

inline bool holds(const void* secret, std::uint64_t number) {
  numbered_secret expected(number);
  const bool same = std::memcmp(secret, &expected, sizeof expected) == 0;
  lockfast_wipe(&expected, sizeof expected);
  return same;
}

// How many of them lie plain in memory that could be swapped.
inline std::size_t plain_in_unlocked_memory() {
  numbered_secret wanted(0);
  const std::size_t found = count_in_unlocked_memory(wanted.begin);
  lockfast_wipe(&wanted, sizeof wanted);
  return found;
}

#endif
