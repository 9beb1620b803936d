// traced_child.h - a child that is traced from its start: its signals, its calls and its end are seen before they happen.
#ifndef LOCKFAST_TESTS_THREAT_TRACED_CHILD_H
#define LOCKFAST_TESTS_THREAT_TRACED_CHILD_H

#include <sys/types.h>

#include <functional>

#include "tools/attacks/tracer.h"

using lockfast::attacks::call_arguments;

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
