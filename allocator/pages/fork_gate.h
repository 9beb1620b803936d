// fork_gate.h - sealing and opening stand still while a fork is prepared and under way.
//
// A child gets a copy of what is open, and the records of what is sealed. A secret that went from one to the other between the
// two would be in neither.
//
// Threads: everything, from any thread; nobody enters while holding a span or a mutex.
#ifndef LOCKFAST_ALLOCATOR_PAGES_FORK_GATE_H
#define LOCKFAST_ALLOCATOR_PAGES_FORK_GATE_H

#include <atomic>
#include <cstdint>

#include "allocator/base/backoff.h"
#include "allocator/base/scoped_lock.h"

namespace lockfast::internal {

class fork_gate {
 public:
  // Whether the caller is in, and leave() is to follow; false while it is shut.
  [[nodiscard]] static bool try_enter() {
    inside_.fetch_add(1, std::memory_order_seq_cst);
    if (shut_by_.load(std::memory_order_seq_cst) == nullptr) return true;
    leave();
    return false;
  }
  static void enter() {
    for (backoff turns; !try_enter(); turns.wait()) {
      // In a handler that interrupted the fork: nobody else opens the gate.
      if (shut_by_.load(std::memory_order_relaxed) == this_thread()) end_reentered();
    }
  }
  static void leave() { inside_.fetch_sub(1, std::memory_order_release); }

  class scope {
   public:
    scope() { enter(); }
    ~scope() { leave(); }
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
  };

  // Shuts it, and waits until nobody is inside; not for ever, since a fork may be made by a handler of the signal that interrupted
  // who is.
  static void shut() {
    constexpr int max_waits = 4000;  // most of them short sleeps
    shut_by_.store(this_thread(), std::memory_order_seq_cst);
    backoff turns;
    for (int waits = 0; waits < max_waits && inside_.load(std::memory_order_seq_cst) != 0; ++waits) turns.wait();
  }
  // Whether no thread is inside. The thread that shut the gate counts, too: a signal handler that forks may have interrupted its own
  // thread inside.
  [[nodiscard]] static bool is_empty() { return inside_.load(std::memory_order_seq_cst) == 0; }
  static void reopen() { shut_by_.store(nullptr, std::memory_order_seq_cst); }
  // In a forked child, where nobody else is.
  static void reopen_in_child() {
    inside_.store(0, std::memory_order_seq_cst);
    reopen();
  }

 private:
  static const void* this_thread() { return &platform::of_thread(busy_with); }

  inline static constinit std::atomic<std::uint32_t> inside_ = 0;
  inline static constinit std::atomic<const void*> shut_by_ = nullptr;
};

}  // namespace lockfast::internal

#endif
