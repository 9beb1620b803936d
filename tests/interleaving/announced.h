// announced.h - comes first in each source of the library that interleaving is built from (-include): what threads share becomes
// a scheduling point before each operation on it.
//
// The library says std::atomic and pthread_mutex_lock, as it should, and is not to know of this test. So these names are replaced
// by macros, once every header of the system that may say them has been read. The values lie in real atomics and real mutexes:
// only the order in which the threads go on is new. One thread runs at a time, and what it hands over is seen by the next: the
// memory model that is explored is sequential consistency.
#ifndef LOCKFAST_TESTS_INTERLEAVING_ANNOUNCED_H
#define LOCKFAST_TESTS_INTERLEAVING_ANNOUNCED_H

#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <concepts>
#include <csignal>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <expected>
#include <functional>
#include <iterator>
#include <limits>
#include <map>
#include <memory>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "tests/interleaving/baton.h"

// NOLINTBEGIN(cert-dcl58-cpp): it takes the place of std::atomic, whose namespace the library names.
namespace std {

template <class Value>
class announced_atomic {
 public:
  constexpr announced_atomic() = default;
  constexpr announced_atomic(Value value) : value_(value) {}
  announced_atomic(const announced_atomic&) = delete;
  announced_atomic& operator=(const announced_atomic&) = delete;

  Value load(memory_order order = memory_order_seq_cst) const {
    reads();
    return value_.load(order);
  }
  void store(Value value, memory_order order = memory_order_seq_cst) {
    writes();
    value_.store(value, order);
  }
  Value exchange(Value value, memory_order order = memory_order_seq_cst) {
    writes();
    return value_.exchange(value, order);
  }
  bool compare_exchange_strong(Value& known, Value to, memory_order order = memory_order_seq_cst) {
    writes();
    return value_.compare_exchange_strong(known, to, order);
  }
  bool compare_exchange_strong(Value& known, Value to, memory_order order, memory_order failed) {
    writes();
    return value_.compare_exchange_strong(known, to, order, failed);
  }
  // It never fails without a reason: every loop around it would only go round once more.
  bool compare_exchange_weak(Value& known, Value to, memory_order order = memory_order_seq_cst) {
    return compare_exchange_strong(known, to, order);
  }
  bool compare_exchange_weak(Value& known, Value to, memory_order order, memory_order failed) {
    return compare_exchange_strong(known, to, order, failed);
  }
  Value fetch_add(Value value, memory_order order = memory_order_seq_cst) {
    writes();
    return value_.fetch_add(value, order);
  }
  Value fetch_sub(Value value, memory_order order = memory_order_seq_cst) {
    writes();
    return value_.fetch_sub(value, order);
  }
  Value fetch_or(Value value, memory_order order = memory_order_seq_cst) {
    writes();
    return value_.fetch_or(value, order);
  }
  Value fetch_and(Value value, memory_order order = memory_order_seq_cst) {
    writes();
    return value_.fetch_and(value, order);
  }
  Value operator++() { return fetch_add(1) + 1; }
  Value operator--() { return fetch_sub(1) - 1; }
  operator Value() const { return load(); }
  Value operator=(Value value) {
    store(value);
    return value;
  }

 private:
  void reads() const { lockfast::interleaving::announce(&value_, lockfast::interleaving::touch::read); }
  void writes() { lockfast::interleaving::announce(&value_, lockfast::interleaving::touch::write); }

  std::atomic<Value> value_{};
};

}  // namespace std
// NOLINTEND(cert-dcl58-cpp)

#define atomic announced_atomic
#define pthread_mutex_lock lockfast::interleaving::lock
#define pthread_mutex_unlock lockfast::interleaving::unlock
#define pthread_mutex_trylock lockfast::interleaving::try_lock

// Those of relaxed.h. Within its own replacement a macro's name stands for what the compiler has.
#define __atomic_load(from, to, order) \
  (lockfast::interleaving::announce(from, lockfast::interleaving::touch::read), __atomic_load(from, to, order))
#define __atomic_store(to, from, order) \
  (lockfast::interleaving::announce(to, lockfast::interleaving::touch::write), __atomic_store(to, from, order))

#endif
