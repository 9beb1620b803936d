// breach.h - the catalogue of faults that end the process, each with its one line (docs/diagnostics.md).
//
// Threads: any; each that reports ends the process.
#ifndef LOCKFAST_ALLOCATOR_BASE_BREACH_H
#define LOCKFAST_ALLOCATOR_BASE_BREACH_H

#include <atomic>
#include <span>

namespace lockfast::internal {

enum class breach : unsigned char {
  broken_canary,
  double_free,
  invalid_pointer,
  interior_pointer,
  write_after_free,
  sealed_damaged,
  access_refused,
  reentered,
  bad_options,
  no_crash_handler,
  access_conflict,
  still_open,
  empty_handle,
  stale_compartment,
};

// How the process ends: abort at once, or, as libsodium's clients know it, SIGSEGV first and abort when a handler returns.
enum class breach_signal : unsigned char { abort, access_violation };

// Writes "lockfast: <reason><detail>" on standard error. Requires a detail of bad_options, and of no other.
void announce(breach reason);
void announce(breach reason, std::span<const char> detail);

// Called with each line that announce() wrote, without its end, where it is not null.
inline constinit std::atomic<void (*)(std::span<const char> line)> on_breach = nullptr;

[[noreturn]] void end_process(breach reason, breach_signal signal);
[[noreturn]] void end_process(breach reason, std::span<const char> detail, breach_signal signal);

}  // namespace lockfast::internal

#endif
