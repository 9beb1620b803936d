// machine.h - what this machine has, what it is made to lack for a test, and the policy that a test asks for.
//
// What is changed here (options, limits, users, forbidden system calls) is changed for good: call it in a child.
#ifndef LOCKFAST_TESTS_THREAT_MACHINE_H
#define LOCKFAST_TESTS_THREAT_MACHINE_H

#include <cstddef>
#include <string>

#include "support/check.h"
#include "support/child.h"

// 0 where memfd_secret serves a page, else the errno that says why not.
[[nodiscard]] int hidden_refusal();
// The same, as a test asks it: says on the test's output that it is skipped.
[[nodiscard]] bool has_hidden_memory();

[[nodiscard]] bool has_guard_markers();  // MADV_GUARD_INSTALL, Linux 6.13
[[nodiscard]] bool has_seals();          // mseal, Linux 6.10
[[nodiscard]] bool has_map_names();      // PR_SET_VMA_ANON_NAME, Linux 5.17 with CONFIG_ANON_VMA_NAME
[[nodiscard]] std::size_t bytes_available();
[[nodiscard]] bool sanitized();  // this program runs under a sanitizer, whose run-time library has memory and maps of its own

void options(const std::string& text);

// An ordinary user, who may lock as much as the limit says; skips where that cannot be.
inline constexpr unsigned ordinary_user = 65534;
inline constexpr unsigned other_user = 65533;
void become_ordinary(std::size_t lock_limit, unsigned user = ordinary_user);

// Has the kernel answer a system call with an errno from now on, as one that lacks it does, or a container's filter.
void forbid_call(long number, int answer);
// The same where one argument, counted from 0, has a value.
void forbid_call_with(long number, unsigned argument, unsigned value, int answer);
// The same for one advice of madvise.
void forbid_advice(int advice, int answer);

// The numbers of what an older C library has no names for.
inline constexpr int advice_guard_install = 102;

#endif
