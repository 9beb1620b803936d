// scoped_lock.h - holds a mutex for a scope, unless there is nobody to exclude; the standard's needs the C++ run-time library.
//
// Nothing that is done in such a scope starts a thread.
#ifndef LOCKFAST_ALLOCATOR_SCOPED_LOCK_H
#define LOCKFAST_ALLOCATOR_SCOPED_LOCK_H

#include "platform/platform.h"

namespace lockfast::internal {

class scoped_lock {
 public:
  explicit scoped_lock(platform::mutex& held) : held_(platform::single_threaded() ? nullptr : &held) {
    if (held_ != nullptr) held_->lock();
  }
  ~scoped_lock() {
    if (held_ != nullptr) held_->unlock();
  }
  scoped_lock(const scoped_lock&) = delete;
  scoped_lock& operator=(const scoped_lock&) = delete;

 private:
  platform::mutex* held_;
};

}  // namespace lockfast::internal

#endif
