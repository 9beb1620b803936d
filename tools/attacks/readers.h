// readers.h - the ways in which one process reads another's memory: each tells whether it got the bytes that stand there.
#ifndef TOOLS_ATTACKS_READERS_H
#define TOOLS_ATTACKS_READERS_H

#include <sys/types.h>

#include <array>
#include <string>
#include <vector>

#include "tools/attacks/mark.h"

namespace lockfast::attacks {

struct reader {
  std::string name;
  bool (*reads)(pid_t process, const void* address, const mark& wanted);
};
extern const reader memory_file;  // /proc/PID/mem
extern const reader vm_read;      // process_vm_readv
extern const reader peek_data;    // PTRACE_PEEKDATA
extern const reader map_file;     // /proc/PID/map_files
inline const std::array by_address = {&memory_file, &vm_read, &peek_data};

// Writes another's memory through /proc/PID/mem; false when the kernel will not.
bool overwrites(pid_t process, const void* address, const mark& with);

// Duplicates each descriptor of a process (pidfd_getfd), maps it and looks for the bytes.
bool steals_by_descriptor(pid_t process, const mark& wanted);

// All that a debugger which heeds no mark (gcore -a) would write: every page of every map that /proc/PID/mem gives.
class memory_dump {
 public:
  explicit memory_dump(pid_t process);
  [[nodiscard]] bool holds(const mark& wanted) const;

 private:
  std::vector<std::vector<unsigned char>> maps_;
};

}  // namespace lockfast::attacks

#endif
