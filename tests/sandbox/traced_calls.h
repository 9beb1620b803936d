// traced_calls.h - which system calls a process makes, and how often.
#ifndef LOCKFAST_TESTS_SANDBOX_TRACED_CALLS_H
#define LOCKFAST_TESTS_SANDBOX_TRACED_CALLS_H

#include <cstddef>
#include <functional>
#include <map>

struct traced_calls {
  bool complete = false;  // the body came to its end, and so did every process that it started
  std::map<long, std::size_t> counts;  // by the number of the call
};

// Runs body in a child and follows it, its threads and its children, call by call.
traced_calls calls_of(const std::function<void()>& body);

#endif
