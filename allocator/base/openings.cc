// openings.cc - the counting.
#include "allocator/base/openings.h"

namespace lockfast::internal {

void openings::count(platform::error lock, platform::error dump, platform::error hide, platform::error fork) {
  const bool hidden = hide == 0;
  const lockfast_backing backing = hidden ? LOCKFAST_HIDDEN : lock == 0 ? LOCKFAST_LOCKED : LOCKFAST_UNLOCKED;
  opened_[backing].fetch_add(1, std::memory_order_relaxed);
  count(protection::lock, lock);
  // The kernel dumps no hidden page.
  count(protection::dump, hidden ? 0 : dump);
  count(protection::hide, hide);
  count(protection::fork, fork);
}

void openings::count(protection of, platform::error why) {
  if (why == 0) return;
  reason(&reasons)[reason_count] = reasons_[static_cast<std::size_t>(of)];
  for (reason& one : reasons) {
    const bool last = &one == &reasons[reason_count - 1];
    platform::error seen = 0;
    if (last || one.error.compare_exchange_strong(seen, why, std::memory_order_relaxed) || seen == why) {
      one.runs.fetch_add(1, std::memory_order_relaxed);
      return;
    }
  }
}

}  // namespace lockfast::internal
