// paging.cc - madvise(2) and proc_pid_pagemap(5).
#include "tools/attacks/paging.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>

#include "tools/attacks/pages.h"

namespace lockfast::attacks {

int page_out(const void* byte) { return madvise(page_of(byte), page_size(), MADV_PAGEOUT) == 0 ? 0 : errno; }

bool in_memory(const void* byte) {
  std::uint64_t entry = 0;
  const int pages = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  const auto at = static_cast<off_t>(address_of(byte) / page_size() * sizeof entry);
  const bool read = pread(pages, &entry, sizeof entry, at) == sizeof entry;
  close(pages);
  return read && (entry >> 63) == 1;
}

}  // namespace lockfast::attacks
