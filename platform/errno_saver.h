// errno_saver.h - errno as it was, at the end of a scope.
//
// Threads: errno is a thread's own.
#ifndef LOCKFAST_PLATFORM_ERRNO_SAVER_H
#define LOCKFAST_PLATFORM_ERRNO_SAVER_H

#include <cerrno>

namespace lockfast::platform {

// A success must leave the caller's errno alone, and a refusal is a return value in this layer.
class errno_saver {
 public:
  errno_saver() : saved_(errno) {}
  ~errno_saver() { errno = saved_; }
  errno_saver(const errno_saver&) = delete;
  errno_saver& operator=(const errno_saver&) = delete;

 private:
  int saved_;
};

}  // namespace lockfast::platform

#endif
