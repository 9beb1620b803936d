// configuration.h - a policy and a machine that a plan is carried out in.
#ifndef LOCKFAST_TESTS_STRESS_CONFIGURATION_H
#define LOCKFAST_TESTS_STRESS_CONFIGURATION_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <span>
#include <string_view>

namespace lockfast::stress {

struct configuration {
  const char* name;
  const char* options;          // LOCKFAST_OPTIONS
  std::size_t lock_limit = 0;   // RLIMIT_MEMLOCK in bytes, as an ordinary user; 0: as the process has it
  std::size_t maps_left = 0;    // all other maps that the system allows are used up; 0: none of them
  lockfast_fork native_fork = LOCKFAST_FORK_ABSENT;
  lockfast_fork drop_in_fork = LOCKFAST_FORK_INHERIT;

  // Whether a call may be refused for want of locks or maps. Asked in a process that is in the configuration.
  [[nodiscard]] bool is_tight() const;
};

[[nodiscard]] std::span<const configuration> configurations();
[[nodiscard]] const configuration* configuration_named(std::string_view name);

// Puts this process, which has not used the library, in that machine.
void enter(const configuration& one);

}  // namespace lockfast::stress

#endif
