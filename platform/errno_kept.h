// errno_kept.h - errno as it was, at the end of a scope.
//
// Threads: errno is a thread's own.
#ifndef LOCKFAST_PLATFORM_ERRNO_KEPT_H
#define LOCKFAST_PLATFORM_ERRNO_KEPT_H

#include <cerrno>

namespace lockfast::platform {

// A success must leave the caller's errno alone, and a refusal is a return value in this layer.
class errno_kept {
 public:
  errno_kept() : saved_(errno) {}
  ~errno_kept() { errno = saved_; }
  errno_kept(const errno_kept&) = delete;
  errno_kept& operator=(const errno_kept&) = delete;

 private:
  int saved_;
};

}  // namespace lockfast::platform

#endif
