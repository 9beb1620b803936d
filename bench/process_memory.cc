// process_memory.cc - reads /proc/self, and asks the kernel to read where a guard page should be.
#include "bench/process_memory.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <fstream>
#include <string>

#include "bench/subject.h"

namespace lockfast::bench {
namespace {

// The figure after a name such as "VmLck:", given in KiB.
double kibibytes(const char* file, const std::string& name) {
  std::ifstream in(file);
  for (std::string word; in >> word;) {
    double value = 0;
    if (word == name && in >> value) return value;
  }
  give_up(file);
}

}  // namespace

footprint process_footprint() {
  std::ifstream maps("/proc/self/maps");
  double count = 0;
  for (std::string line; std::getline(maps, line);) ++count;
  return {.reserved = 1024 * kibibytes("/proc/self/status", "VmSize:"),
          .resident = 1024 * kibibytes("/proc/self/smaps_rollup", "Rss:"),
          .locked = 1024 * kibibytes("/proc/self/status", "VmLck:"),
          .maps = count};
}

guard_probe::guard_probe() {
  if (pipe(pipe_) != 0) give_up("pipe");
  std::ifstream in("/proc/self/maps");
  for (std::string line; std::getline(in, line);) {
    std::uintptr_t first = 0;
    std::uintptr_t past = 0;
    const auto dash = std::from_chars(line.data(), line.data() + line.size(), first, 16);
    std::from_chars(dash.ptr + 1, line.data() + line.size(), past, 16);
    maps_.emplace_back(first, past);
  }
}

guard_probe::~guard_probe() {
  close(pipe_[0]);
  close(pipe_[1]);
}

bool guard_probe::reserved(std::uintptr_t page) const {
  const auto after = std::upper_bound(maps_.begin(), maps_.end(), page,
                                      [](std::uintptr_t address, const auto& map) { return address < map.first; });
  return after != maps_.begin() && page < std::prev(after)->second;
}

bool guard_probe::guards(std::uintptr_t page) const {
  if (!reserved(page)) return false;
  if (write(pipe_[1], reinterpret_cast<const void*>(page), 1) < 0) return errno == EFAULT;
  char byte;
  if (read(pipe_[0], &byte, 1) != 1) give_up("pipe");
  return false;
}

}  // namespace lockfast::bench
