// page_run.cc - pages opened, hidden or locked, and closed.
#include "allocator/pages/page_run.h"

namespace lockfast::internal {

using platform::access;

platform::error page_run::protect(std::byte* at, std::size_t size, platform::key through) {
  return through == platform::default_key ? platform::protect(at, size, access::read_write)
                                          : platform::protect_by_key(at, size, access::read_write, through);
}

platform::error page_run::hide(const fork_exclusion::scope& held, const region& in, std::byte* at, std::size_t size,
                               platform::key protection_key) {
  if (const auto refusal = fork_exclusion::hide(held, at, size, in.policy()); refusal != 0) return refusal;
  if (protection_key == platform::default_key) return 0;
  const auto refusal = protect(at, size, protection_key);
  if (refusal != 0) (void)fork_exclusion::unhide(held, at, size, in.policy());
  return refusal;
}

platform::error page_run::lock(const region& in, std::byte* at, std::size_t size, const opening& how) {
  if (const auto refusal = protect(at, size, how.protection_key); refusal != 0) return refusal;
  // Pages behind one that is not locked are not locked either: what is locked stays one piece.
  platform::error lock_refusal = lock_error();
  if (lock_refusal == 0)
    lock_refusal = how.for_how_long == stay::brief ? platform::lock_briefly(at, size) : platform::lock(at, size);
  if (lock_refusal != 0 && how.lock == lock_wanted::always) {
    (void)close(in, at, size, how.protection_key);
    platform::discard(at, size);
    return lock_refusal;
  }
  set_lock_error(lock_refusal);
  if (lock_refusal == 0) lock_watch::see_locked(at);
  return 0;
}

void page_run::grow(std::byte* at, std::size_t size) {
  if (empty()) begin_ = at;
  size_ = size_ + size;
}

platform::error page_run::open(const fork_exclusion::scope& held, const region& in, std::byte* at, std::size_t size,
                               opening how) {
  if (how.hide_error == 0) how.hide_error = hide(held, in, at, size, how.protection_key);
  if (how.hide_error != 0) {
    if (const auto refusal = lock(in, at, size, how); refusal != 0) return refusal;
  }
  hide_error_ = static_cast<std::int16_t>(how.hide_error);
  grow(at, size);
  return 0;
}

platform::error page_run::open_hidden(const fork_exclusion::scope& held, const region& in, std::byte* at, std::size_t size,
                                      const opening& how) {
  if (const auto refusal = hide(held, in, at, size, how.protection_key); refusal != 0) return refusal;
  hide_error_ = 0;
  grow(at, size);
  return 0;
}

void page_run::adopt(std::byte* at, std::size_t size, platform::error lock_error, platform::error hide_error) {
  begin_ = at;
  size_ = size;
  set_lock_error(lock_error);
  hide_error_ = static_cast<std::int16_t>(hide_error);
  if (lock_error == 0 && !hidden()) lock_watch::see_locked(at);
}

platform::error page_run::renew_lock(std::size_t locked) {
  if (hidden() || locked == 0) return 0;
  const auto refusal = lock_lost(begin_, locked) ? platform::renew_lock(begin_, locked) : 0;
  if (refusal != 0) {
    set_lock_error(refusal);
  } else {
    lock_watch::see_locked(begin_);
  }
  return refusal;
}

platform::error page_run::close(const region& in, std::byte* at, std::size_t size, platform::key had) {
  // A key stays with its pages, which may be another's next.
  if (had == platform::default_key) return platform::protect(at, size, access::none);
  if (platform::protect_by_key(at, size, access::none, platform::default_key) == 0) return 0;
  // Where a sandbox has taken keys away since, fresh pages take the place of those.
  return fork_exclusion::unhide_at_once(at, size, in.policy());
}

void page_run::forget(map of_pages) {
  begin_ = nullptr;
  size_ = 0;
  lock_error_ = 0;
  hide_error_ = of_pages == map::left ? empty_with_map : empty_and_joined;
}

bool page_run::fill_gap_in_child(const region& in, std::size_t kept, platform::key protection_key) {
  std::byte* const at = begin_ + kept;
  const std::size_t gap = size_ - kept;
  const fork_exclusion::scope held;
  const auto hide_refusal = hide(held, in, at, gap, protection_key);
  hide_error_ = static_cast<std::int16_t>(hide_refusal);
  if (hide_refusal == 0) return true;
  // Where hiding was tried the gap is reserved again by now.
  fork_exclusion::reserve_again(at, gap, in.policy());
  return lock(in, at, gap, {lock_wanted::if_possible, hide_refusal, protection_key}) == 0;
}

}  // namespace lockfast::internal
