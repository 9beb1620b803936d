// freebsd.cc - the FreeBSD host, 12 or newer: MADV_NOCORE, and minherit, which knows zeros.
#include <sys/types.h>

#include <sys/mman.h>

#include "platform/errno_saver.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {

const int flags_of_reservations = 0;
const int flags_of_exact_place = MAP_FIXED | MAP_EXCL;

void settle_reservation(reservation& made, std::byte* address, std::size_t size, fork_policy policy) {
  made.address = address;
  // Under mlockall(MCL_FUTURE) the new map is locked from birth.
  (void)unlock_pages(address, size);
  made.dump = advise(address, size, MADV_NOCORE);
  if (policy == fork_policy::absent) made.fork = result_of(minherit(address, size, INHERIT_NONE));
  if (policy == fork_policy::wipe) made.fork = result_of(minherit(address, size, INHERIT_ZERO));
}

error conceal(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return advise(address, size, MADV_NOCORE);
}

error reveal(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return advise(address, size, MADV_CORE);
}

std::size_t lock_limit() { return resource_limit_of_locks(); }

}  // namespace lockfast::platform
