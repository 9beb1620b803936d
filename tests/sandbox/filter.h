// filter.h - seccomp filters for the process that calls, and for what it starts.
#ifndef LOCKFAST_TESTS_SANDBOX_FILTER_H
#define LOCKFAST_TESTS_SANDBOX_FILTER_H

#include <span>
#include <vector>

// What the kernel does about a call: let it be made, answer it with an errno, or end the process.
struct verdict {
  unsigned action;
  static verdict allow();
  static verdict refuse(int error);
  static verdict kill();
};

// The calls of systemd's group @system-service that this processor has.
std::vector<long> system_service();

// Puts the filter on this thread, for good; false when the kernel refuses it.
[[nodiscard]] bool filter_calls(std::span<const long> listed, verdict of_those, verdict of_others);

#endif
