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
// What it is busy with besides; null if nothing.
LOCKFAST_OF_THREAD extern const void* busy_besides;

// The mutex that this thread is taking or releasing, from before it has it until its holder is told, and the other way round; null
// outside. Between the two a handler could not know that it waits for its own thread.
LOCKFAST_OF_THREAD extern const platform::mutex* changing_hands;

[[noreturn, gnu::cold]] void end_reentered();

// In a handler that interrupted named_lock() or named_unlock() of the same mutex: takes it.
[[gnu::cold]] void lock_interrupted(platform::mutex& wanted);

// Takes a mutex where there are threads, and names this one as its holder.
inline void named_lock(platform::mutex& wanted) {
  const platform::mutex*& changing = platform::of_thread(changing_hands);
  const platform::mutex* const interrupted = changing;
  if (interrupted == &wanted) {
    lock_interrupted(wanted);
  } else {
    changing = &wanted;
    std::atomic_signal_fence(std::memory_order_seq_cst);
    wanted.lock();
  }
  wanted.set_holder(&platform::of_thread(busy_with));
  std::atomic_signal_fence(std::memory_order_seq_cst);
  changing = interrupted;
}

inline void named_unlock(platform::mutex& held) {
  const platform::mutex*& changing = platform::of_thread(changing_hands);
  const platform::mutex* const interrupted = changing;
  changing = &held;
  std::atomic_signal_fence(std::memory_order_seq_cst);
  held.set_holder(nullptr);
  held.unlock();
  std::atomic_signal_fence(std::memory_order_seq_cst);
  changing = interrupted;
}

class scoped_lock {
 public:
  explicit scoped_lock(platform::mutex& held) : held_(held), shared_(!platform::single_threaded()) {
    const void* const me = &platform::of_thread(busy_with);
    if (held.held_by(me)) end_reentered();
    if (shared_) {
      named_lock(held);
    } else {
      held.set_holder(me);
    }
  }
  ~scoped_lock() {
    if (shared_) {
      named_unlock(held_);
    } else {
      held_.set_holder(nullptr);
    }
  }
  scoped_lock(const scoped_lock&) = delete;
  scoped_lock& operator=(const scoped_lock&) = delete;

 private:
  platform::mutex& held_;
  bool shared_;
};

// A fork holds mutexes without a scope. It may interrupt a call of its thread, when a signal handler forks, and a handler may interrupt
// it. Where there is one thread each finds the mutexes free.
inline void lock_over_fork(platform::mutex& wanted) {
  if (platform::single_threaded()) {
    wanted.lock();
  } else {
    if (wanted.held_by(&platform::of_thread(busy_with))) end_reentered();
    named_lock(wanted);
  }
}
// In the child, too, where the thread has the address that it had.
inline void unlock_after_fork(platform::mutex& held) {
  if (held.held_by(nullptr)) {
    held.unlock();
  } else {
    named_unlock(held);
  }
}

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

// The same for what a call has busy besides: so that a handler does not wait for its own thread.
class busy_besides_scope {
 public:
  explicit busy_besides_scope(const void* with) : before_(platform::of_thread(busy_besides)) {
    platform::of_thread(busy_besides) = with;
  }
  ~busy_besides_scope() { platform::of_thread(busy_besides) = before_; }
  busy_besides_scope(const busy_besides_scope&) = delete;
  busy_besides_scope& operator=(const busy_besides_scope&) = delete;

 private:
  const void* before_;
};

}  // namespace lockfast::internal

#endif
