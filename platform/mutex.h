// mutex.h - mutex between threads, of whatever the system has: a POSIX mutex, or one word that Windows waits on (SRWLOCK).
//
// Threads: that is what it is for.
#ifndef LOCKFAST_PLATFORM_MUTEX_H
#define LOCKFAST_PLATFORM_MUTEX_H

#if !defined(_WIN32)
#include <pthread.h>
#endif

#include <atomic>

namespace lockfast::platform {

// Constant-initialised, never destroyed.
class mutex {
 public:
  constexpr mutex() = default;
  mutex(const mutex&) = delete;
  mutex& operator=(const mutex&) = delete;

#if defined(_WIN32)
  void lock();
  void unlock();
  [[nodiscard]] bool try_lock();
  void reset_in_child() {
    native_ = nullptr;
    set_holder(nullptr);
  }

 private:
  void* native_ = nullptr;
#else
  void lock() { pthread_mutex_lock(&native_); }
  void unlock() { pthread_mutex_unlock(&native_); }
  // False when somebody has it, this thread too. For a signal handler: no host's does more than one exchange of a word.
  [[nodiscard]] bool try_lock() { return pthread_mutex_trylock(&native_) == 0; }
  // In a forked child, where whoever held it may not exist: held by nobody.
  void reset_in_child() {
    native_ = PTHREAD_MUTEX_INITIALIZER;
    set_holder(nullptr);
  }

 private:
  pthread_mutex_t native_ = PTHREAD_MUTEX_INITIALIZER;
#endif

 public:
  // For whoever wants to know whether it is held by the very thread that asks: any address that names the thread.
  void set_holder(const void* thread) { holder_.store(thread, std::memory_order_relaxed); }
  [[nodiscard]] bool held_by(const void* thread) const { return holder_.load(std::memory_order_relaxed) == thread; }

 private:
  std::atomic<const void*> holder_ = nullptr;
};

}  // namespace lockfast::platform

#endif
