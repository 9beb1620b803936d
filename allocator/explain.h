// explain.h - what a refusal means in this process, in words.
//
// Threads: everything, from any thread. Not async-signal-safe: the statistics are asked for.
#ifndef LOCKFAST_ALLOCATOR_EXPLAIN_H
#define LOCKFAST_ALLOCATOR_EXPLAIN_H

#include <cstddef>
#include <span>

#include "platform/platform.h"

namespace lockfast::internal {

// lockfast_explain: how many characters the whole text has.
std::size_t explain(platform::error refusal, std::span<char> out);

}  // namespace lockfast::internal

#endif
