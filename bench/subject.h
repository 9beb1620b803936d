// subject.h - the allocators that are measured, each behind the same functions.
#ifndef LOCKFAST_BENCH_SUBJECT_H
#define LOCKFAST_BENCH_SUBJECT_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lockfast::bench {

struct subject {
  std::string name;
  std::function<void()> prepare;  // called once, in a process of the subject's own, before the first allocation
  void* (*allocate)(std::size_t size);
  void (*deallocate)(void* secret);
  int (*noaccess)(void* secret);
  int (*readwrite)(void* secret);
};

// libsodium, as the system's dynamic linker finds it; empty, with a line on standard error, where there is none.
[[nodiscard]] std::vector<subject> libsodium();

// Lockfast's isolated placement under a policy; what options leaves at 0 comes from LOCKFAST_OPTIONS, else from the
// defaults.
[[nodiscard]] subject lockfast_with(std::string name, const lockfast_options& options);

// The columns of a comparison: libsodium, then Lockfast with freed=trap, then with freed=recycle.
[[nodiscard]] std::vector<subject> allocators();

// Ends the process with a line on standard error: a measurement whose set-up failed is worth nothing.
[[noreturn]] void give_up(const char* what);

}  // namespace lockfast::bench

#endif
