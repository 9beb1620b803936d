// short_memory.h - refuses the nth block of the ordinary heap that is asked for in a way that may be refused: libcrypto's,
// and those of operator new with std::nothrow.
#ifndef LOCKFAST_TESTS_VAULT_REFUSAL_SHORT_MEMORY_H
#define LOCKFAST_TESTS_VAULT_REFUSAL_SHORT_MEMORY_H

#include <cstddef>

namespace short_memory {

// Before libcrypto is used. False when it would not have it.
[[nodiscard]] bool install();

// The nth request from now on; 0: none.
void refuse_nth(std::size_t n);
[[nodiscard]] bool refused();

}  // namespace short_memory

#endif
