// lock_budgets.cc - asks the kernel: what counts by process is locked, by smaps.
#include "lock_budgets.h"

#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "page_state.h"

#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

std::size_t lock_budgets() {
  const auto file = static_cast<int>(syscall(SYS_memfd_secret, 0));
  void* hidden = MAP_FAILED;
  if (ftruncate(file, static_cast<off_t>(page_size())) == 0) {
    hidden = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  }
  close(file);
  if (hidden == MAP_FAILED) return 1;
  const std::size_t count = state_of(hidden).has("lo") ? 1 : 2;
  munmap(hidden, page_size());
  return count;
}
