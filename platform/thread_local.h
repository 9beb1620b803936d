// thread_local.h - variables that each thread has of its own, reached without the heap, in a signal handler too; without a call, but
// on musl.
//
//    LOCKFAST_OF_THREAD int count = 3;    // constant-initialised, trivially destroyed
//    ++of_thread(count);                  // this thread's
//
// On Windows gcc would keep them in blocks of the ordinary heap, which are gone before a thread's end is told of: so they are
// put by hand where the system itself keeps such variables, in the section that it copies for each thread; the linker sorts its
// parts, and ends it with ".tls$ZZZ".
//
// Threads: a thread's own.
#ifndef LOCKFAST_PLATFORM_THREAD_LOCAL_H
#define LOCKFAST_PLATFORM_THREAD_LOCAL_H

#if defined(_WIN32)
#include <cstddef>

extern "C" {
extern unsigned long
    _tls_index;  // of this module's blocks, and the first byte of what they are copied from (mingw-w64, tlssup.c)
extern char* _tls_start;
}

#define LOCKFAST_OF_THREAD [[gnu::section(".tls$LOCKFAST")]] constinit

namespace lockfast::platform {

template <class T>
[[gnu::always_inline]] inline T& of_thread(T& pattern) {
  char** blocks;
  __asm__("movq %%gs:0x58, %0" : "=r"(blocks));  // the thread's environment block, ThreadLocalStoragePointer
  const std::ptrdiff_t offset = reinterpret_cast<char*>(&pattern) - reinterpret_cast<char*>(&_tls_start);
  return *reinterpret_cast<T*>(blocks[_tls_index] + offset);
}

}  // namespace lockfast::platform
#else
#if defined(__linux__) && __has_include(<features.h>)
#include <features.h>
#endif

// musl gives a library that is loaded later no room in what threads have already, and allocates for all of them when it loads it:
// there a variable is reached by a call, which takes no memory.
#if defined(__linux__) && !defined(__GLIBC__)
#define LOCKFAST_OF_THREAD constinit thread_local
#else
#define LOCKFAST_OF_THREAD [[gnu::tls_model("initial-exec")]] constinit thread_local
#endif

namespace lockfast::platform {

template <class T>
[[gnu::always_inline]] inline T& of_thread(T& own) {
  return own;
}

}  // namespace lockfast::platform
#endif

#endif
