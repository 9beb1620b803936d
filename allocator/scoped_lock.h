// scoped_lock.h - holds a mutex for a scope; the standard's needs the C++ run-time library.
#ifndef LOCKFAST_ALLOCATOR_SCOPED_LOCK_H
#define LOCKFAST_ALLOCATOR_SCOPED_LOCK_H

#include "platform/platform.h"

namespace lockfast::internal {

class scoped_lock {
 public:
  explicit scoped_lock(platform::mutex& held) : held_(held) { held_.lock(); }
  ~scoped_lock() { held_.unlock(); }
  scoped_lock(const scoped_lock&) = delete;
  scoped_lock& operator=(const scoped_lock&) = delete;

 private:
  platform::mutex& held_;
};

}  // namespace lockfast::internal

#endif
