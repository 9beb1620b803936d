// process_memory.h - what the kernel says of this process's memory.
#ifndef LOCKFAST_BENCH_PROCESS_MEMORY_H
#define LOCKFAST_BENCH_PROCESS_MEMORY_H

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

namespace lockfast::bench {

struct footprint {
  double reserved;  // bytes of address space
  double resident;  // bytes in RAM
  double locked;    // bytes that the kernel counts as locked
  double maps;
};

// Of the whole process, now.
[[nodiscard]] footprint process_footprint();

// The maps that the kernel has marked as locked when this is made.
class locked_maps {
 public:
  locked_maps();

  // Whether size bytes at address lie in one of them.
  [[nodiscard]] bool hold(const void* address, std::size_t size) const;

 private:
  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> maps_;  // in order of address, neighbours joined
};

// Tells guard pages from pages that happen to be missing: a guard page is reserved and cannot be read.
class guard_probe {
 public:
  guard_probe();
  ~guard_probe();
  guard_probe(const guard_probe&) = delete;
  guard_probe& operator=(const guard_probe&) = delete;

  // Whether the page at address is a guard page. What was mapped after construction is not known here.
  [[nodiscard]] bool guards(std::uintptr_t page) const;

 private:
  [[nodiscard]] bool reserved(std::uintptr_t page) const;

  std::vector<std::pair<std::uintptr_t, std::uintptr_t>> maps_;  // in order of address: first byte, first byte past
  int pipe_[2];
};

}  // namespace lockfast::bench

#endif
