// short_heap.cc - a counter in front of malloc.
#include "support/short_heap.h"

#include <malloc.h>
#include <openssl/crypto.h>

#include <cstdlib>
#include <new>

#include "support/sanitized.h"

namespace {

bool throws = true;  // where a request that throws counts
// Of this thread: a refresher that asks in the middle of a test's call is not what the test means.
thread_local std::size_t left = 0;
thread_local bool was_refused = false;
void (*look_at)(const std::byte* block, std::size_t size) = nullptr;

// Whether this request is the one.
bool is_due() {
  if (left == 0 || --left != 0) return false;
  was_refused = true;
  return true;
}

void* allocate(std::size_t size) { return is_due() ? nullptr : std::malloc(size == 0 ? 1 : size); }

void* allocate_for_libcrypto(std::size_t size, const char*, int) { return allocate(size); }

void* reallocate_for_libcrypto(void* block, std::size_t size, const char*, int) {
  return is_due() ? nullptr : std::realloc(block, size);
}

void free_for_libcrypto(void* block, const char*, int) { std::free(block); }

}  // namespace

// The thread sanitizer has operators of its own.
#if !defined(LOCKFAST_UNDER_TSAN)
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return allocate(size); }
void operator delete(void* block, const std::nothrow_t&) noexcept { std::free(block); }
void operator delete[](void* block, const std::nothrow_t&) noexcept { std::free(block); }

void* operator new(std::size_t size) {
  void* const block = throws ? allocate(size) : std::malloc(size == 0 ? 1 : size);
  if (block == nullptr) throw std::bad_alloc();
  return block;
}
void* operator new[](std::size_t size) { return operator new(size); }
void operator delete(void* block) noexcept { std::free(block); }
void operator delete[](void* block) noexcept {
  if (look_at != nullptr && block != nullptr) look_at(static_cast<const std::byte*>(block), malloc_usable_size(block));
  std::free(block);
}
void operator delete(void* block, std::size_t) noexcept { std::free(block); }
void operator delete[](void* block, std::size_t) noexcept { std::free(block); }
#endif

namespace short_heap {

bool install(asked counted) {
  throws = counted == asked::in_any_way;
  return CRYPTO_set_mem_functions(allocate_for_libcrypto, reallocate_for_libcrypto, free_for_libcrypto) == 1;
}

void look_at_freed(void (*look)(const std::byte* block, std::size_t size)) { look_at = look; }
void refuse_nth(std::size_t n) {
  was_refused = false;
  left = n;
}

bool refused() { return was_refused; }

}  // namespace short_heap
