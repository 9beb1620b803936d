// subject.h - the allocators that are measured, each behind the same functions.
#ifndef LOCKFAST_BENCH_SUBJECT_H
#define LOCKFAST_BENCH_SUBJECT_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <functional>
#include <string>
#include <vector>

namespace lockfast::bench {

// What is promised of a subject's memory, so that a time is not compared with one that had less to do.
enum class promise { locked, nothing };

// What a subject is to a comparison.
enum class role { lockfast, peer, loop };

struct subject {
  std::string name;
  std::function<void()> prepare;  // called once, in a process of the subject's own, before the first allocation
  void* (*allocate)(std::size_t size);
  void (*deallocate)(void* secret, std::size_t size);
  int (*noaccess)(void* secret) = nullptr;
  int (*readwrite)(void* secret) = nullptr;
  promise promises = promise::locked;
  role is = role::peer;
  std::function<void(subject&)> load = [](subject&) {};  // called once before prepare, in the same process; sets the others
};

// Everything that comes before the first allocation, in the process that will make it.
void start(subject& of);

// libsodium, as the system's dynamic linker finds it; empty, with a line on standard error, where there is none.
[[nodiscard]] std::vector<subject> libsodium();

// Lockfast's isolated placement under a policy; what options leaves at 0 comes from LOCKFAST_OPTIONS, else from the
// defaults.
[[nodiscard]] subject lockfast_with(std::string name, const lockfast_options& options);

// Those that give a secret pages of its own: libsodium, then Lockfast with freed=trap, then with freed=recycle.
[[nodiscard]] std::vector<subject> isolated_allocators();

// lockfast_malloc with freed=trap and with freed=recycle; then those to compare it with, ordinary ones that wipe first. Each
// library's pool has pool_size bytes, where that can be chosen. A library that was absent when the benchmarks were configured
// is left out, with a line on standard error.
[[nodiscard]] std::vector<subject> grouped_allocators(std::size_t pool_size);

// Gives always the same bytes of each thread and does nothing else: what a benchmark's own loop takes.
[[nodiscard]] subject loop_alone();

// The same, but wipes those bytes: what two processors that share their parts cannot do at twice the rate of one either.
[[nodiscard]] subject wipe_alone();

// Writes the first and the last byte, as whoever asked for the secret would write them all.
inline void touch(void* secret, std::size_t size) {
  auto* const bytes = static_cast<volatile unsigned char*>(secret);
  bytes[0] = 1;
  bytes[size - 1] = 1;
}

// Whether a secret of this size is given, and held in RAM by the kernel's word where the subject promises that.
[[nodiscard]] bool serves(const subject& of, std::size_t size);

// Ends the process with a line on standard error: a measurement whose set-up failed is worth nothing.
[[noreturn]] void give_up(const char* what);
// The same for what dlopen or dlsym refused: dlerror names the file and the reason, errno says nothing of it.
[[noreturn]] void give_up_loading();

}  // namespace lockfast::bench

#endif
