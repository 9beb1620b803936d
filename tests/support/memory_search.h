// memory_search.h - the whole memory of this process, as a debugger sees it.
#ifndef LOCKFAST_TESTS_SUPPORT_MEMORY_SEARCH_H
#define LOCKFAST_TESTS_SUPPORT_MEMORY_SEARCH_H

#include <cstddef>
#include <functional>
#include <span>

// Whether memory can be searched here: it cannot where the system does not let a process read its own memory as a file, nor
// where an emulator's own memory, with what it keeps of the registers, would be searched too.
bool memory_can_be_searched();

// The sum of what look() returns for each piece of what is present of it, pages without access included, program text and the
// pages that it is read into left out. A piece that continues one begins with its last bytes, one fewer than overlap.
std::size_t sum_over_memory(std::size_t overlap, const std::function<std::size_t(std::span<const std::byte>)>& look);

#endif
