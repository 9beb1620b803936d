// short_heap.h - refuses the nth block of the ordinary heap: those of operator new, and libcrypto's.
#ifndef LOCKFAST_TESTS_BOOJUM_SHORT_HEAP_H
#define LOCKFAST_TESTS_BOOJUM_SHORT_HEAP_H

#include <cstddef>

namespace short_heap {

// Before libcrypto is used. False when it would not have it.
[[nodiscard]] bool install();

// 0 refuses none. operator new throws, or gives null where it was asked to.
void refuse_nth(std::size_t n);
// Whether that block was asked for.
[[nodiscard]] bool refused();

}  // namespace short_heap

#endif
