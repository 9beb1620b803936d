// libcrypto_memory.cc - the three functions that libcrypto allocates with.
#include <lockfast/libcrypto_memory.hpp>

#include <lockfast/lockfast.h>
#include <openssl/crypto.h>

#include "boojum/memory/error_note.h"

namespace lockfast {
namespace {

void* allocate(std::size_t size, const char*, int) { return lockfast_malloc(size); }
void* reallocate(void* block, std::size_t size, const char*, int) { return lockfast_realloc(block, size); }
void release(void* block, const char*, int) { lockfast_free(block); }

}  // namespace

std::expected<void, memory_error> libcrypto_memory::route() {
  return internal::noting([]() -> std::expected<void, memory_error> {
    if (CRYPTO_set_mem_functions(allocate, reallocate, release) == 1) return {};
    return internal::refused_because(memory_error::unavailable, nullptr,
                                     "libcrypto has allocated already: call it before anything of libcrypto is used");
  });
}

}  // namespace lockfast
