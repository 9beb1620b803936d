// one_look.h - several system calls in one look at what a sandbox allows.
//
//    const platform::one_look scope;                           // on Linux the first risky call looks at this thread's filters
//    for (auto* each : runs) (void)platform::lock(each, size);  // the others need no look of their own
//
// A thread inside such a scope runs code of ours alone, so it puts no filter on itself meanwhile. Another thread can
// (SECCOMP_FILTER_FLAG_TSYNC), as it can between any look and the call that follows: so a scope is to be short.
//
// Threads: a scope is its thread's own. Scopes do not nest.
#ifndef LOCKFAST_PLATFORM_ONE_LOOK_H
#define LOCKFAST_PLATFORM_ONE_LOOK_H

namespace lockfast::platform {

class one_look {
 public:
  one_look();
  ~one_look();  // NOLINT(performance-trivially-destructible): on Linux it forgets the look
  one_look(const one_look&) = delete;
  one_look& operator=(const one_look&) = delete;
};

}  // namespace lockfast::platform

#endif
