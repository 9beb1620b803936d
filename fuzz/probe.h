// probe.h - asks the kernel, not the library, what holds for an address: who may touch it, and whether it is in RAM.
//
// The probes let the kernel touch the byte on behalf of a system call, which fails with EFAULT where a touch of ours would
// trap. They see hidden memory as the process itself does.
//
// Threads: one at a time.
#ifndef LOCKFAST_FUZZ_PROBE_H
#define LOCKFAST_FUZZ_PROBE_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockfast::fuzz {

std::size_t page_size();

// A pointer as a number, and its distance to the start of its page.
inline std::uintptr_t number(const void* address) { return reinterpret_cast<std::uintptr_t>(address); }
inline std::uintptr_t page_start(const void* address) { return number(address) & ~(page_size() - 1); }

bool readable(const void* address);
bool writable(void* address);  // leaves the byte as it was

// Copies length bytes from address to out as far as they are readable; whether all were.
bool copy_if_readable(const void* address, std::size_t length, std::uint8_t* out);

// False where mlock is refused or has no effect, as under some emulators; says so once on standard error.
bool locks_are_real();
bool locked(const void* address);    // its page is in a locked map
bool resident(const void* address);  // its page is in RAM now

// What /proc/self/smaps says of the process's maps at one moment. Slow: sample it.
class map_flags {
 public:
  struct map {
    std::uintptr_t begin, end;
    bool locked, undumpable, hidden;
  };

  map_flags();
  const map* find(const void* address) const;  // nullptr: not mapped

 private:
  std::vector<map> maps_;
};

}  // namespace lockfast::fuzz

#endif
