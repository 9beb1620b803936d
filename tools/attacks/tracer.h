// tracer.h - a debugger: stops a process, reads its words, and makes it run system calls of the debugger's choice.
#ifndef TOOLS_ATTACKS_TRACER_H
#define TOOLS_ATTACKS_TRACER_H

#include <sys/types.h>

#include <array>
#include <cstddef>

namespace lockfast::attacks {

// Attaches to a process and stops it, and lets it go on at the end; empty when that is not allowed.
class tracer {
 public:
  explicit tracer(pid_t process);
  ~tracer();
  tracer(const tracer&) = delete;
  tracer& operator=(const tracer&) = delete;
  explicit operator bool() const { return attached_; }

 private:
  pid_t process_;
  bool attached_ = false;
};

// Whether the functions below are written for this processor: x86-64.
[[nodiscard]] bool can_make_calls();

using call_arguments = std::array<unsigned long, 6>;
// Has a traced process, which is stopped, make a system call, and leaves it as it was. Returns the kernel's answer: a result, or
// minus an errno.
long call_in(pid_t process, long number, const call_arguments& arguments);
// Has it open a page to all its threads, whatever the page's protection key was; how the kernel answered.
long open_in(pid_t process, const void* address);

// A pipe whose writing end the process has under this number.
struct tap {
  int its_end;
  int our_end;
};
// Has a traced process write bytes of its own memory out; how the kernel answered.
long write_out(pid_t process, const void* address, void* to, std::size_t size, tap through);

}  // namespace lockfast::attacks

#endif
