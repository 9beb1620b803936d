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

using range = std::pair<std::uintptr_t, std::uintptr_t>;

// The two addresses that a line of maps, or the first line of a map in smaps, begins with.
range addresses(const std::string& line) {
  range found{};
  const char* const end = line.data() + line.size();
  const auto dash = std::from_chars(line.data(), end, found.first, 16);
  std::from_chars(dash.ptr + 1, end, found.second, 16);
  return found;
}

// The last of maps in order of address that begins at address or below; the end where there is none.
std::vector<range>::const_iterator last_before(const std::vector<range>& maps, std::uintptr_t address) {
  const auto after = std::upper_bound(maps.begin(), maps.end(), address,
                                      [](std::uintptr_t wanted, const range& map) { return wanted < map.first; });
  return after == maps.begin() ? maps.end() : std::prev(after);
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

locked_maps::locked_maps() {
  std::ifstream in("/proc/self/smaps");
  range current{};
  for (std::string line; std::getline(in, line);) {
    const bool begins_map = line.find('-') < line.find(':');
    if (begins_map) current = addresses(line);
    if (!line.starts_with("VmFlags:") || (line + ' ').find(" lo ") == std::string::npos) continue;
    if (!maps_.empty() && maps_.back().second == current.first) {
      maps_.back().second = current.second;
    } else {
      maps_.push_back(current);
    }
  }
}

bool locked_maps::hold(const void* address, std::size_t size) const {
  const auto first = reinterpret_cast<std::uintptr_t>(address);
  const auto map = last_before(maps_, first);
  return map != maps_.end() && first + size <= map->second;
}

guard_probe::guard_probe() {
  if (pipe(pipe_) != 0) give_up("pipe");
  std::ifstream in("/proc/self/maps");
  for (std::string line; std::getline(in, line);) maps_.push_back(addresses(line));
}

guard_probe::~guard_probe() {
  close(pipe_[0]);
  close(pipe_[1]);
}

bool guard_probe::reserved(std::uintptr_t page) const {
  const auto map = last_before(maps_, page);
  return map != maps_.end() && page < map->second;
}

bool guard_probe::guards(std::uintptr_t page) const {
  if (!reserved(page)) return false;
  if (write(pipe_[1], reinterpret_cast<const void*>(page), 1) < 0) return errno == EFAULT;
  char byte;
  if (read(pipe_[0], &byte, 1) != 1) give_up("pipe");
  return false;
}

}  // namespace lockfast::bench
