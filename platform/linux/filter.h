// filter.h - which system calls a seccomp filter would end this process for.
//
//    if (const error refusal = forbidden(risky_call::memfd_secret); refusal != 0) return refusal;  // not made: the filter kills
//    const long made = syscall(SYS_memfd_secret, 0);                                               // made: refused at worst
//
// Risky are the calls that neither libsodium nor the C library makes by itself: a filter written for those may kill on them
// (SECCOMP_RET_KILL_PROCESS). Such a filter cannot be read, so a child tries the calls (docs/decisions/0070):
//
//   1. /proc/thread-self/status tells how many filters the thread has. None: every call is survived.
//   2. Filters that are there at the first look: a child of one clone(2) makes each call once, and dies of it or not.
//   3. A filter that came later is the program's own sandbox. Nothing is tried then: no risky call is survived.
//
// Invariants
//   1. Nothing is made in this process that could end it but openat, read and close at each look, clone and wait4 at the first.
//   2. The child is gone before the first look returns. It raises no SIGCHLD, an ordinary wait does not find it, and it leaves no
//      core file.
//
// Threads: any. Threads that look at once may each try the calls.
#ifndef LOCKFAST_PLATFORM_LINUX_FILTER_H
#define LOCKFAST_PLATFORM_LINUX_FILTER_H

#include "platform/platform.h"

namespace lockfast::platform {

// In the order in which the child tries them: what keeps the child from leaving a core file comes first.
enum class risky_call : unsigned char {
  limit_core,     // prlimit64, in the child only
  forbid_dump,    // prctl(PR_SET_DUMPABLE), in the child only
  await_child,    // wait4
  name_map,       // prctl(PR_SET_VMA)
  memfd_secret,   // and ftruncate of what it made
  lock_on_fault,  // mlock2
  seal,           // mseal
  take_key,       // pkey_alloc
  give_key,       // pkey_mprotect
  move_map,       // mremap
  give_way,       // sched_yield
  write_memory,   // pwritev, to /proc/thread-self/mem
  count,
};

// 0 where this thread survives the call now; EPERM where it does not, or may not; EMFILE or ENFILE where no descriptor is left to
// look at its filters by, in a process that may have some: then a call that needs none counts as at the look before. Takes some
// microseconds.
[[nodiscard]] error forbidden(risky_call call);

// The same as of the latest trial, without a look: for waiting loops and signal handlers.
[[nodiscard]] bool survived(risky_call call);

}  // namespace lockfast::platform

#endif
