// libcrypto_memory.hpp - libcrypto's allocations, and libssl's, in locked memory.
//
//    int main() {
//      if (!libcrypto_memory::route()) return 1;      // before anything of libcrypto is used
//
// Keys that libcrypto holds, what it computes with them, and the traffic keys of TLS then lie in locked memory, hidden where the
// system has it, and are wiped when they are freed; so does everything else that libcrypto allocates. docs/vault.md says what it costs.
//
// Under fork=absent, the default, a forked child has nothing of libcrypto's, and must not use it. A server that forks takes fork=inherit.
//
// Threads: one, before others use libcrypto.
#ifndef LOCKFAST_LIBCRYPTO_MEMORY_HPP
#define LOCKFAST_LIBCRYPTO_MEMORY_HPP

#include <lockfast/lockfast.h>
#include <lockfast/detail/standard_library.hpp>
#include <lockfast/memory_error.hpp>

#include <expected>

namespace lockfast {
inline namespace LOCKFAST_STANDARD_LIBRARY {

class LOCKFAST_API libcrypto_memory {
 public:
  // Routes them for as long as the process lives. Refusals: unavailable - libcrypto has allocated already, and takes no other functions.
  [[nodiscard]] static std::expected<void, memory_error> route();
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
