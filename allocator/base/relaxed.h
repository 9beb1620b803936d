// relaxed.h - a value that its owner writes and anyone may read, each read and write whole, in no order with others.
//
// Threads: reads from any; what the writer wrote last is seen by whoever the owner handed over to.
#ifndef LOCKFAST_ALLOCATOR_BASE_RELAXED_H
#define LOCKFAST_ALLOCATOR_BASE_RELAXED_H

namespace lockfast::internal {

template <class T>
class relaxed {
 public:
  constexpr relaxed(T value = {}) : value_(value) {}

  relaxed& operator=(T value) {
    __atomic_store(&value_, &value, __ATOMIC_RELAXED);
    return *this;
  }
  operator T() const {
    T value;
    __atomic_load(&value_, &value, __ATOMIC_RELAXED);
    return value;
  }
  // For the owner, and for those that it handed over to: a read that the compiler may put into another instruction.
  [[nodiscard]] T owned() const { return value_; }

 private:
  T value_;
};

}  // namespace lockfast::internal

#endif
