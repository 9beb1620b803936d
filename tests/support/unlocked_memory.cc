// unlocked_memory.cc - by /proc/self/smaps and /proc/self/mem.
#include "support/unlocked_memory.h"

#include <fcntl.h>
#include <grp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>

bool become_user(std::size_t lock_limit) {
  constexpr uid_t nobody = 65534;
  const rlimit limit{lock_limit, lock_limit};
  if (setrlimit(RLIMIT_MEMLOCK, &limit) != 0) return false;
  if (geteuid() != 0) return true;
  return setgroups(0, nullptr) == 0 && setgid(nobody) == 0 && setuid(nobody) == 0 && prctl(PR_SET_DUMPABLE, 1) == 0;
}

std::size_t count_in_unlocked_memory(std::span<const unsigned char, 16> wanted) {
  std::FILE* const maps = std::fopen("/proc/self/smaps", "re");
  if (maps == nullptr) return SIZE_MAX;
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (memory < 0) {
    std::fclose(maps);
    return SIZE_MAX;
  }
  static unsigned char window[1 << 16];
  const auto itself = reinterpret_cast<std::uintptr_t>(wanted.data());
  std::size_t found = 0;
  std::uintptr_t from = 0;
  std::uintptr_t to = 0;
  bool shown = false;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR " ", &begin, &end) == 2) {
      from = begin;
      to = end;
      shown = std::strstr(line, "[v") == nullptr;
    }
    if (std::strncmp(line, "VmFlags:", 8) != 0 || !shown || std::strstr(line, " lo") != nullptr) continue;
    for (std::uintptr_t at = from; at < to; at += sizeof window) {
      const std::size_t part = to - at < sizeof window ? to - at : sizeof window;
      const ssize_t length = pread(memory, window, part, static_cast<off_t>(at));
      for (ssize_t offset = 0; offset + 16 <= length; offset += 8) {
        const std::uintptr_t place = at + static_cast<std::uintptr_t>(offset);
        // The window has what was read last while it is read itself.
        const bool in_window = place + 16 > reinterpret_cast<std::uintptr_t>(window) &&
                               place < reinterpret_cast<std::uintptr_t>(window) + sizeof window;
        if (place == itself || in_window) continue;
        found += std::memcmp(window + offset, wanted.data(), wanted.size()) == 0;
      }
      std::memset(window, 0, sizeof window);
      __asm__ volatile("" : : "r"(window) : "memory");
    }
  }
  std::fclose(maps);
  close(memory);
  return found;
}
