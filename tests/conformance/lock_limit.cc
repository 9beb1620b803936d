// lock_limit.cc - a small RLIMIT_MEMLOCK, and no privilege to pass it.
#include "lock_limit.h"

#include <grp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/child.h"
#include "support/page_state.h"

namespace {

constexpr unsigned nobody = 65534;

}  // namespace

void lock_no_more_than(std::size_t bytes) {
  const rlimit limit{bytes, bytes};
  prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "a lock limit");
  if (geteuid() == 0) {
    prove(setgroups(0, nullptr) == 0 && setgid(nobody) == 0 && setuid(nobody) == 0, "no privileges");
    prove(prctl(PR_SET_DUMPABLE, 1) == 0, "a readable /proc/self");
  }
  const std::size_t more = bytes + page_size();
  void* pages = mmap(nullptr, more, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  prove(pages != MAP_FAILED && mlock(pages, more) == -1, "an effective lock limit");
  munmap(pages, more);
}
