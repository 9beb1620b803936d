// relaxed.h - a value that its owner writes and anyone may read, each read and write whole, in no order with others.
//
// Threads: reads from any; what the writer wrote last is seen by whoever the owner handed over to.
#ifndef LOCKFAST_ALLOCATOR_BASE_RELAXED_H
#define LOCKFAST_ALLOCATOR_BASE_RELAXED_H

#include <atomic>

namespace lockfast::internal {

template <class T>
class relaxed {
 public:
  constexpr relaxed(T value = {}) : value_(value) {}

  relaxed& operator=(T value) {
    value_.store(value, std::memory_order_relaxed);
    return *this;
  }
  operator T() const { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<T> value_;
};

}  // namespace lockfast::internal

#endif
