// slab_pages.cc - a slab's pages: opened one after the other, hidden or locked, and closed all at once.
#include "allocator/grouped/slab.h"

#include <cerrno>

#include "allocator/base/backoff.h"
#include "allocator/base/family.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/base/openings.h"
#include "allocator/pages/room.h"
#include "allocator/grouped/slab_region.h"

namespace lockfast::internal {

using platform::access;

platform::error slab::open_hidden(const fork_exclusion::scope& held, std::byte* begin, std::size_t bytes, const opening& how) {
  if (const auto refusal = fork_exclusion::hide(held, begin, bytes, home.policy()); refusal != 0) return refusal;
  if (how.protection_key == platform::default_key) return 0;
  const auto refusal = platform::protect_by_key(begin, bytes, access::read_write, how.protection_key);
  if (refusal != 0) (void)fork_exclusion::unhide(held, begin, bytes, home.policy());
  return refusal;
}

platform::error slab::open_locked(std::byte* begin, std::size_t bytes, const opening& how) {
  const auto refusal = how.protection_key == platform::default_key
                           ? platform::protect(begin, bytes, access::read_write)
                           : platform::protect_by_key(begin, bytes, access::read_write, how.protection_key);
  if (refusal != 0) return refusal;
  // Pages behind one that is not locked are not locked either: what is locked stays one piece.
  platform::error lock_refusal = lock_refusal_;
  if (lock_refusal == 0) lock_refusal = platform::lock(begin, bytes);
  if (lock_refusal != 0 && how.wanted == opening::lock::always) {
    (void)close(begin, bytes);
    platform::discard(begin, bytes);
    return lock_refusal;
  }
  lock_refusal_ = lock_refusal;
  if (lock_refusal == 0) lock_watch::see_locked(begin);
  return 0;
}

platform::error slab::open_more(const opening& how) {
  const std::size_t page = platform::page_size();
  const std::size_t opened = opened_;
  const std::size_t least = (lead() + (slot_count() + 1) * stride_ + page - 1) & ~(page - 1);
  if (least > run_size_) return ENOSPC;
  std::byte* const begin = run_ + opened;
  if (!has_room_for(least - opened)) return ENOMEM;
  if (opened == 0) hide_error_ = how.hide_error;
  protection_key_ = how.protection_key;

  const fork_exclusion::scope held;
  std::size_t wanted = least;
  bool done = false;
  if (hide_error_ == 0) {
    // Each piece of hidden memory is a map of its own, so they grow; the last may be as small as it must be.
    if (2 * opened > least) wanted = 2 * opened < run_size_ ? 2 * opened : run_size_;
    auto refusal = open_hidden(held, begin, wanted - opened, how);
    if (refusal != 0 && wanted != least) {
      wanted = least;
      refusal = open_hidden(held, begin, wanted - opened, how);
    }
    done = refusal == 0;
    if (!done && opened != 0) return ENOSPC;
    hide_error_ = refusal;
  }
  if (!done) {
    if (const auto refusal = open_locked(begin, wanted - opened, how); refusal != 0) return refusal;
  }
  if (lock_refusal_ == 0) locked_ = wanted;
  openings::count(lock_refusal_, home.dump_error(), hide_error_, home.fork_error());
  const std::size_t before = slot_count();
  const std::size_t after = slots_in(wanted);
  opened_ = wanted;
  for (std::size_t index = before; index < after; ++index) put_free(index);
  slot_count_.store(after, std::memory_order_release);
  // The first of them may begin in a page that is closed.
  if (unwritten_ == 0) return 0;
  sort_waiting();
  return free_count_ != 0 || end_withholding() ? 0 : ENOMEM;
}

platform::error slab::lock_after_closing(opening::lock wanted) {
  if (hidden() || locked_ == 0) return 0;
  const auto refusal = platform::lock(run_, locked_);
  if (refusal == 0 || wanted == opening::lock::always) return refusal;
  locked_ = 0;
  lock_refusal_ = refusal;
  return 0;
}

void slab::renew_lock() {
  if (hidden() || locked_ == 0) return;
  const auto held = platform::lock_held(run_, locked_);
  const bool lost = held != platform::hold::all && held != platform::hold::unknown;
  if (const auto refusal = lost ? platform::renew_lock(run_, locked_) : 0; refusal != 0) {
    locked_ = 0;
    lock_refusal_ = refusal;
    return;
  }
  lock_watch::see_locked(run_);
}

platform::error slab::close(std::byte* begin, std::size_t bytes) const {
  // A key stays with its pages, which may be another's next.
  if (protection_key_ == platform::default_key) return platform::protect(begin, bytes, access::none);
  if (platform::protect_by_key(begin, bytes, access::none, platform::default_key) == 0) return 0;
  // Where a sandbox has taken keys away since, fresh pages take the place of those.
  return fork_exclusion::unhide_at_once(begin, bytes, home.policy());
}

void slab::take_pages() {
  backoff turns;
  for (held_by seen = held_by::nobody;
       !pages_.compare_exchange_weak(seen, held_by::retire, std::memory_order_acquire, std::memory_order_relaxed);
       seen = held_by::nobody) {
    turns.wait();
  }
}

bool slab::retire() {
  take_pages();
  bool untouched = true;
  for (std::size_t index = 0; index < slot_count(); ++index) untouched &= all_zero(place(index) - margin, slot_size());
  if (!untouched) end(breach::write_after_free);
  return give_back();
}

bool slab::retire_closed() {
  // In the child of a fork there are none.
  if (opened_ == 0) return true;
  take_pages();
  const auto refusal = protection_key_ == platform::default_key
                           ? protect(access::read_write)
                           : platform::protect_by_key(run_, opened_, access::read_write, platform::default_key);
  return refusal == 0 && give_back();
}

bool slab::give_back() {
  wipe(run_, opened_);
  lock_watch::forget(run_, opened_);
  const fork_exclusion::scope held;
  const auto refusal = hidden()       ? fork_exclusion::unhide(held, run_, opened_, home.policy())
                       : locked_ != 0 ? platform::unlock(run_, locked_)
                                      : 0;
  if (refusal != 0) {
    pages_.store(held_by::nobody, std::memory_order_release);
    return false;
  }
  if (!hidden()) {
    if (close(run_, opened_) != 0) {
      // They stay open, wiped, and are the slab's as before.
      if (locked_ != 0) lock_refusal_ = platform::lock(run_, locked_);
      if (lock_refusal_ != 0) locked_ = 0;
      pages_.store(held_by::nobody, std::memory_order_release);
      return false;
    }
    platform::discard(run_, opened_);
  }
  slot_count_.store(0, std::memory_order_release);
  owned_.store(0, std::memory_order_release);
  free_count_ = 0;
  opened_ = 0;
  locked_ = 0;
  lock_refusal_ = 0;
  return true;
}

// ---- After a crash that the program survives ---------------------------------------------------------------------------------

bool slab::leave_closed() {
  // Nothing is freed into a thread cache from now on.
  bin_index = no_bin;
  fast_bin_index = no_bin;
  std::size_t live = 0;
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::header known = header(index);
    live += !known.is_free() && known.current_state() != slot::state::entering;
  }
  absent_count = live + 1;
  unread_ = 0;
  unwritten_ = 0;
  closings_.fetch_add(1, std::memory_order_release);
  return protect(access::none) == 0;
}

bool slab::leave_list() {
  list = nullptr;
  return --absent_count == 0;
}

bool slab::show_absent(const void* address) {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - run_);
  // A handler has no rights to a key.
  if (absent_count == 0 || offset >= opened_ || shown_ || protection_key_ != platform::default_key) return false;
  shown_ = true;
  return protect(access::read_write) == 0;
}

void slab::close_absent() {
  if (!shown_) return;
  shown_ = false;
  (void)protect(access::none);
}

}  // namespace lockfast::internal
