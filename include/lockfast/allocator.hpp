// allocator.hpp - the standard library's containers in memory for secrets: allocator<T>, string, vector<T>, memory_resource.
//
//    lockfast::vector<char> typed(64);
//    lockfast::memory_resource pool;
//    std::pmr::string line("…", &pool);
//
// What a container gives back is wiped before it is freed; a container that grows wipes the place it grew out of. The text of a
// string never lies in the object itself. A std::pmr::string, and any other std::basic_string, keeps short text, up to 15 characters
// or 22, in the object, which is wherever the program put it.
//
// Threads: every function is safe from any number of threads.
#ifndef LOCKFAST_ALLOCATOR_HPP
#define LOCKFAST_ALLOCATOR_HPP

#include <lockfast/detail/cxx20.hpp>
#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstdlib>
#include <limits>
#include <memory_resource>
#include <new>
#include <vector>

namespace lockfast {

namespace detail {

inline void refuse_allocation() {
#if defined(__cpp_exceptions)
  throw std::bad_alloc();
#else
  std::abort();
#endif
}

inline void* allocate(std::size_t size, std::size_t alignment) {
  void* const made = lockfast_aligned_alloc(alignment, size);
  if (made == nullptr) refuse_allocation();
  return made;
}

}  // namespace detail

// An allocator as the standard library wants it; std::bad_alloc when lockfast_aligned_alloc refuses, and abort()
// where exceptions are off.
template <class T>
class allocator {
 public:
  using value_type = T;

  allocator() = default;
  // All allocators are the same one.
  template <class U>
  allocator(const allocator<U>&) noexcept {}

  // count elements; std::bad_alloc too if their size overflows.
  [[nodiscard]] T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) detail::refuse_allocation();
    return static_cast<T*>(detail::allocate(count * sizeof(T), alignof(T)));
  }
  // Wipes and frees what allocate gave.
  void deallocate(T* elements, std::size_t) noexcept { lockfast_free(elements); }

  // True: each may free what another allocated.
  template <class U>
  friend bool operator==(const allocator&, const allocator<U>&) noexcept {
    return true;
  }
};

// A std::vector in memory for secrets.
template <class T>
using vector = std::vector<T, allocator<T>>;

// The same for std::pmr. Any two are equal: each may free what another allocated.
class memory_resource final : public std::pmr::memory_resource {
 private:
  void* do_allocate(std::size_t size, std::size_t alignment) override { return detail::allocate(size, alignment); }
  void do_deallocate(void* bytes, std::size_t, std::size_t) override { lockfast_free(bytes); }
  bool do_is_equal(const std::pmr::memory_resource& other) const noexcept override {
#if defined(__cpp_rtti)
    return dynamic_cast<const memory_resource*>(&other) != nullptr;
#else
    return this == &other;
#endif
  }
};

}  // namespace lockfast

#include <lockfast/detail/string.hpp>
#include <lockfast/detail/string_functions.hpp>

#endif
