// posix_yield.cc - lets another thread run, where nothing keeps a process from asking for that.
#include <sched.h>

#include "platform/platform.h"

namespace lockfast::platform {

void yield() { (void)sched_yield(); }

}  // namespace lockfast::platform
