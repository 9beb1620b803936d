// scoped_lock.h - holds a mutex for a scope, unless there is nobody to exclude; the standard's needs the C++ run-time library.
//
// A signal handler that calls the allocator may interrupt a call of its own thread: it would wait for itself, or, where there is one
// thread, find what the mutex guards half changed. That is a breach.
//
// Nothing that is done in such a scope starts a thread.
#ifndef LOCKFAST_ALLOCATOR_BASE_SCOPED_LOCK_H
#define LOCKFAST_ALLOCATOR_BASE_SCOPED_LOCK_H

#include "platform/thread_local.h"
#include "platform/platform.h"

namespace lockfast::internal {

// What this thread's call is busy with; null outside. The address of the variable names the thread.
LOCKFAST_OF_THREAD extern const void* busy_with;

[[noreturn, gnu::cold]] void end_reentered();

class scoped_lock {
 public:
  explicit scoped_lock(platform::mutex& held) : held_(held), shared_(!platform::single_threaded()) {
    const void* const me = &platform::of_thread(busy_with);
    if (held.held_by(me)) end_reentered();
    if (shared_) held.lock();
    held.set_holder(me);
  }
  ~scoped_lock() {
    held_.set_holder(nullptr);
    if (shared_) held_.unlock();
  }
  scoped_lock(const scoped_lock&) = delete;
  scoped_lock& operator=(const scoped_lock&) = delete;

 private:
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
