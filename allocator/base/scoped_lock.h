// scoped_lock.h - holds a mutex for a scope, unless there is nobody to exclude; the standard's needs the C++ run-time library.
//
// A signal handler that calls the allocator may interrupt a call of its own thread: it would wait for itself, or, where there is one
// thread, find what the mutex guards half changed. That is a breach.
//
// Nothing that is done in such a scope starts a thread.
#ifndef LOCKFAST_ALLOCATOR_BASE_SCOPED_LOCK_H
#define LOCKFAST_ALLOCATOR_BASE_SCOPED_LOCK_H

#include <atomic>

#include "platform/platform.h"
#include "platform/thread_local.h"

namespace lockfast::internal {

// What this thread's call is busy with; null outside. The address of the variable names the thread.
LOCKFAST_OF_THREAD extern const void* busy_with;

// The mutex that this thread is taking or releasing, from before it has it until its holder is told, and the other way round; null
// outside. Between the two a handler could not know that it waits for its own thread.
LOCKFAST_OF_THREAD extern const platform::mutex* changing_hands;

[[noreturn, gnu::cold]] void end_reentered();

class scoped_lock {
 public:
  explicit scoped_lock(platform::mutex& held) : held_(held), shared_(!platform::single_threaded()) {
    const void* const me = &platform::of_thread(busy_with);
    if (held.held_by(me)) end_reentered();
    if (shared_) {
      lock(me);
    } else {
      held.set_holder(me);
    }
  }
  ~scoped_lock() {
    if (shared_) {
      unlock();
    } else {
      held_.set_holder(nullptr);
    }
  }
  scoped_lock(const scoped_lock&) = delete;
  scoped_lock& operator=(const scoped_lock&) = delete;

 private:
  void lock(const void* me) {
    const platform::mutex*& changing = platform::of_thread(changing_hands);
    const platform::mutex* const interrupted = changing;
    if (interrupted == &held_) {
      lock_interrupted();
    } else {
      changing = &held_;
      std::atomic_signal_fence(std::memory_order_seq_cst);
      held_.lock();
    }
    held_.set_holder(me);
    std::atomic_signal_fence(std::memory_order_seq_cst);
    changing = interrupted;
  }
  void unlock() {
    const platform::mutex*& changing = platform::of_thread(changing_hands);
    const platform::mutex* const interrupted = changing;
    changing = &held_;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    held_.set_holder(nullptr);
    held_.unlock();
    std::atomic_signal_fence(std::memory_order_seq_cst);
    changing = interrupted;
  }
  // In a handler that interrupted lock() or unlock() of the same mutex.
  [[gnu::cold]] void lock_interrupted();

  platform::mutex& held_;
  bool shared_;
};

// For the length of a call that is to have a span busy, and from before it has: no moment is left in which a handler cannot know.
class busy_scope {
 public:
  explicit busy_scope(const void* with) : before_(platform::of_thread(busy_with)) { platform::of_thread(busy_with) = with; }
  ~busy_scope() { platform::of_thread(busy_with) = before_; }
  // What the call is busy with that this one has interrupted; null if none.
  [[nodiscard]] const void* outer() const { return before_; }
  busy_scope(const busy_scope&) = delete;
  busy_scope& operator=(const busy_scope&) = delete;

 private:
  const void* before_;
};

}  // namespace lockfast::internal

#endif
