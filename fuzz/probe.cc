// probe.cc - the probes, by system calls that neither the library nor a sanitizer stands in front of.
#include "fuzz/probe.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>

#include "fuzz/target.h"

namespace lockfast::fuzz {

namespace {

struct channel {
  int ends[2];
  channel() {
    if (pipe(ends) != 0) disagree("no pipe to probe with: %s", std::strerror(errno));
  }
};

const channel& probe_channel() {
  static const channel shared;
  return shared;
}

long take(void* address, std::size_t length) { return syscall(SYS_read, probe_channel().ends[0], address, length); }
long give(const void* address, std::size_t length) { return syscall(SYS_write, probe_channel().ends[1], address, length); }

void expect_fault(const void* address) {
  if (errno != EFAULT) disagree("probing %p gives %s", address, std::strerror(errno));
}

void* page_of(const void* address) { return reinterpret_cast<void*>(page_start(address)); }

}  // namespace

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

bool copy_if_readable(const void* address, std::size_t length, std::uint8_t* out) {
  // A pipe holds at least a page, and takes a page whole or not at all.
  const auto* from = static_cast<const std::uint8_t*>(address);
  while (length != 0) {
    const std::size_t part = std::min(length, page_size() - number(from) % page_size());
    if (give(from, part) != static_cast<long>(part)) {
      expect_fault(from);
      return false;
    }
    if (take(out, part) != static_cast<long>(part)) disagree("the probe's pipe lost bytes");
    from += part;
    out += part;
    length -= part;
  }
  return true;
}

bool readable(const void* address) {
  std::uint8_t byte;
  return copy_if_readable(address, 1, &byte);
}

bool writable(void* address) {
  std::uint8_t byte = 0;
  copy_if_readable(address, 1, &byte);
  if (give(&byte, 1) != 1) disagree("the probe's pipe is full");
  if (take(address, 1) == 1) return true;
  expect_fault(address);
  if (take(&byte, 1) != 1) disagree("the probe's pipe lost a byte");
  return false;
}

bool locked(const void* address) {
  // The kernel refuses to invalidate a locked map, and does nothing at all to an anonymous one that is not.
  return syscall(SYS_msync, page_of(address), page_size(), MS_ASYNC | MS_INVALIDATE) != 0 && errno == EBUSY;
}

bool resident(const void* address) {
  unsigned char state = 0;
  return mincore(page_of(address), page_size(), &state) == 0 && (state & 1) != 0;
}

bool locks_are_real() {
  static const bool real = [] {
    void* page = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    const bool held = page != MAP_FAILED && syscall(SYS_mlock, page, page_size()) == 0 && locked(page);
    if (page != MAP_FAILED) munmap(page, page_size());
    if (!held) std::fputs("fuzz: skipped: mlock has no effect here, so locks are not checked\n", stderr);
    return held;
  }();
  return real;
}

map_flags::map_flags() {
  std::ifstream smaps("/proc/self/smaps");
  for (std::string line; std::getline(smaps, line);) {
    unsigned long begin = 0, end = 0;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      maps_.push_back({begin, end, false, false, line.find("secretmem") != std::string::npos});
    } else if (line.starts_with("VmFlags:") && !maps_.empty()) {
      line += ' ';
      maps_.back().locked = line.find(" lo ") != std::string::npos;
      maps_.back().undumpable = line.find(" dd ") != std::string::npos;
    }
  }
}

const map_flags::map* map_flags::find(const void* address) const {
  for (const map& each : maps_)
    if (number(address) >= each.begin && number(address) < each.end) return &each;
  return nullptr;
}

}  // namespace lockfast::fuzz
