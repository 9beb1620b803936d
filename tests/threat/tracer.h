// tracer.h - a debugger: stops a process, reads its words, and makes it run system calls of the debugger's choice.
#ifndef LOCKFAST_TESTS_THREAT_TRACER_H
#define LOCKFAST_TESTS_THREAT_TRACER_H

#include <sys/types.h>

#include <array>
#include <cstddef>
#include <functional>

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

// What happens in a child that is traced from its start; after each the child goes on, unless told otherwise.
struct happenings {
  std::function<void(pid_t, int signal)> before_signal = [](pid_t, int) {};  // before it is delivered
  std::function<void(pid_t, long number, const call_arguments&)> before_call = [](pid_t, long, const call_arguments&) {};
  // Whether a call is to be left out, and to succeed with the result 0, where can_make_calls().
  std::function<bool(long number, const call_arguments&)> pretends = [](long, const call_arguments&) { return false; };
  std::function<void(pid_t)> instead_of_exit = [](pid_t) {};  // exit_group: the child is killed after this
};
// Runs body in a child, which leaves by _exit at its end; returns the signal that ended it, 0 when it reached exit_group, -1 when
// it could not be traced.
int trace_child(const std::function<void()>& body, const happenings& on);

#endif
