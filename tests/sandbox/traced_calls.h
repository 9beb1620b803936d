// traced_calls.h - which system calls a process makes.
#ifndef LOCKFAST_TESTS_SANDBOX_TRACED_CALLS_H
#define LOCKFAST_TESTS_SANDBOX_TRACED_CALLS_H

#include <functional>
#include <set>

struct traced_calls {
  bool complete = false;  // the body came to its end, and so did every process that it started
  std::set<long> numbers;
};

// Runs body in a child and follows it, its threads and its children, call by call.
traced_calls calls_of(const std::function<void()>& body);

#endif
