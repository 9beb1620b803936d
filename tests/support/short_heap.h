// short_heap.h - refuses the nth block of the ordinary heap: those of operator new, and libcrypto's. Compiled into the suites
// that want it alone, since it replaces operator new.
#ifndef LOCKFAST_TESTS_SUPPORT_SHORT_HEAP_H
#define LOCKFAST_TESTS_SUPPORT_SHORT_HEAP_H

#include <cstddef>

namespace short_heap {

// Which requests count: all of them, or those that give null when they are refused, for code without exceptions.
enum class asked { in_any_way, for_null };

// Before libcrypto is used. False when it would not have it.
[[nodiscard]] bool install(asked counted);

// The nth that this thread asks for from here on; 0 refuses none. operator new throws, or gives null where it was asked to.
void refuse_nth(std::size_t n);
// Calls this with each array before it goes back to the heap, where the C library says how long it is; null: nothing.
void look_at_freed(void (*look)(const std::byte* block, std::size_t size));
// Whether this thread asked for that block.
[[nodiscard]] bool refused();

}  // namespace short_heap

#endif
