// unlocked_memory.h - what an attacker with the swap device could find: the memory of this process that is not locked. Linux.
#ifndef LOCKFAST_TESTS_SUPPORT_UNLOCKED_MEMORY_H
#define LOCKFAST_TESTS_SUPPORT_UNLOCKED_MEMORY_H

#include <cstddef>
#include <span>

// Becomes an ordinary user under a limit on locks, who may still look at his own memory. A user who is one already stays the same.
[[nodiscard]] bool become_user(std::size_t lock_limit);

// How often these 16 bytes lie at a multiple of eight in memory that is not locked, closed pages included. The argument itself does
// not count. SIZE_MAX where the memory cannot be looked at.
[[nodiscard]] std::size_t count_in_unlocked_memory(std::span<const unsigned char, 16> wanted);

#endif
