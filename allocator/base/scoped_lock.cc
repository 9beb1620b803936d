// scoped_lock.cc - what the threads are busy with.
#include "allocator/base/scoped_lock.h"

#include "allocator/base/breach.h"

namespace lockfast::internal {

LOCKFAST_OF_THREAD const void* busy_with = nullptr;

void end_reentered() { end_process(breach::reentered, breach_signal::abort); }

}  // namespace lockfast::internal
