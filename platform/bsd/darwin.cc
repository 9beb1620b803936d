// darwin.cc - the macOS host: pages of 16 KiB on arm64, of 4 KiB on x86-64. Nothing leaves memory out of a core dump, and no
// inheritance gives a forked child zeros: receipts say so.
#include <mach/vm_inherit.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/sysctl.h>

#include "platform/errno_saver.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {

const int flags_of_reservations = 0;
const int flags_of_exact_place = 0;

void settle_reservation(reservation& made, std::byte* address, std::size_t size, fork_policy policy) {
  made.address = address;
  made.dump = ENOTSUP;
  if (policy == fork_policy::absent) made.fork = result_of(minherit(address, size, VM_INHERIT_NONE));
  if (policy == fork_policy::wipe) made.fork = ENOTSUP;
  // Pages that are locked when they are unmapped, or when the process ends, are zero before anybody else has them.
  (void)advise(address, size, MADV_ZERO_WIRED_PAGES);
}

error conceal(std::byte*, std::size_t) { return ENOTSUP; }
error reveal(std::byte*, std::size_t) { return ENOTSUP; }

// A process may lock the least of its resource limit and of what the system gives each (vm.user_wire_limit).
std::size_t lock_limit() {
  const errno_saver kept;
  const std::size_t resource_limit = resource_limit_of_locks();
  uint64_t limit_of_each = 0;
  std::size_t length = sizeof limit_of_each;
  if (sysctlbyname("vm.user_wire_limit", &limit_of_each, &length, nullptr, 0) != 0 || length != sizeof limit_of_each) {
    return resource_limit;
  }
  return limit_of_each < resource_limit ? static_cast<std::size_t>(limit_of_each) : resource_limit;
}

}  // namespace lockfast::platform
