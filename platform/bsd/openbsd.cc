// openbsd.cc - the OpenBSD host: MAP_CONCEAL, which only a new map can have, and minherit, which knows zeros.
#include <sys/types.h>

#include <sys/mman.h>

#include "platform/errno_saver.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {

const int flags_of_reservations = MAP_CONCEAL;
const int flags_of_exact_place = MAP_FIXED | __MAP_NOREPLACE;

void settle_reservation(reservation& made, std::byte* address, std::size_t size, fork_policy policy) {
  made.address = address;
  // Under mlockall(MCL_FUTURE) the new map is locked from birth.
  (void)unlock_pages(address, size);
  if (policy == fork_policy::absent) made.fork = result_of(minherit(address, size, MAP_INHERIT_NONE));
  if (policy == fork_policy::wipe) made.fork = result_of(minherit(address, size, MAP_INHERIT_ZERO));
}

// Only what is mapped with it is left out of dumps.
error conceal(std::byte*, std::size_t) { return ENOTSUP; }
error reveal(std::byte*, std::size_t) { return ENOTSUP; }

std::size_t lock_limit() { return resource_limit_of_locks(); }

}  // namespace lockfast::platform
