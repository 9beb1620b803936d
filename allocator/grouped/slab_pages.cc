// slab_pages.cc - a slab's pages: opened one after the other, hidden or locked, and closed all at once.
#include "allocator/grouped/slab.h"

#include <algorithm>
#include <cerrno>

#include "allocator/base/backoff.h"
#include "allocator/base/family.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/base/openings.h"
#include "allocator/pages/room.h"
#include "allocator/grouped/slab_region.h"
#include "platform/access_checker.h"

namespace lockfast::internal {

using platform::access;

platform::error slab::grow_hidden(const fork_exclusion::scope& held, std::size_t least, const page_run::opening& how) {
  const std::size_t opened = opened_bytes();
  // Each piece of hidden memory is a map of its own, so they grow; the last may be as small as it must be.
  const std::size_t wanted = std::clamp(2 * opened, least, run_size_);
  if (opened_.open_hidden(held, home, run_ + opened, wanted - opened, how) == 0) return 0;
  if (wanted == least) return ENOSPC;
  return opened_.open_hidden(held, home, run_ + opened, least - opened, how) == 0 ? 0 : ENOSPC;
}

platform::error slab::open_more(const page_run::opening& how) {
  const std::size_t page = platform::page_size();
  const std::size_t opened = opened_bytes();
  const std::size_t least = (lead() + (slot_count() + 1) * stride_ + page - 1) & ~(page - 1);
  if (least > run_size_) return ENOSPC;
  if (!has_room_for(least - opened)) return ENOMEM;
  protection_key_ = how.protection_key;

  const fork_exclusion::scope held;
  platform::error refusal = 0;
  if (hidden()) {
    refusal = grow_hidden(held, least, how);
  } else {
    // A slab whose first pages are not hidden gets no hidden ones later.
    page_run::opening wanted = how;
    if (opened != 0) wanted.hide_error = hide_error();
    refusal = opened_.open(held, home, run_ + opened, least - opened, wanted);
  }
  if (refusal != 0) return refusal;
  platform::forbid(run_ + opened, opened_bytes() - opened);
  if (lock_refusal() == 0) locked_ = opened_bytes();
  openings::count(lock_refusal(), home.dump_error(), hide_error(), home.fork_error());
  const std::size_t before = slot_count();
  const std::size_t after = slots_in(opened_bytes());
  for (std::size_t index = before; index < after; ++index) put_free(index);
  slot_count_.store(after, std::memory_order_release);
  // The first of them may begin in a page that is closed.
  if (unwritten_ == 0) return 0;
  sort_waiting();
  return free_count_ != 0 || end_withholding() ? 0 : ENOMEM;
}

// Unlike a span, a slab does not note a lock that closing has taken off: all of a compartment's slabs are locked again when it is
// opened, and a refusal there closes them again.
platform::error slab::lock_after_closing(page_run::lock_wanted wanted) {
  if (hidden() || locked_ == 0) return 0;
  const auto refusal = platform::lock(run_, locked_);
  if (refusal == 0 || wanted == page_run::lock_wanted::always) return refusal;
  locked_ = 0;
  opened_.set_lock_error(refusal);
  return 0;
}

void slab::renew_lock() {
  if (opened_.renew_lock(locked_) != 0) locked_ = 0;
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
  platform::permit(run_, opened_bytes());
  bool untouched = true;
  for (std::size_t index = 0; index < slot_count(); ++index) untouched &= all_zero(place(index) - margin, slot_size());
  if (!untouched) end(breach::write_after_free);
  return give_back();
}

bool slab::retire_closed() {
  // In the child of a fork there are none.
  if (opened_.empty()) return true;
  take_pages();
  const auto refusal = protection_key_ == platform::default_key
                           ? protect(access::read_write)
                           : platform::protect_by_key(run_, opened_bytes(), access::read_write, platform::default_key);
  return refusal == 0 && give_back();
}

platform::error slab::close_opened() const { return page_run::close(home, run_, opened_bytes(), protection_key_); }

bool slab::give_back() {
  platform::permit(run_, opened_bytes());
  wipe(run_, opened_bytes());
  const fork_exclusion::scope held;
  const auto outcome = opened_.give_back(held, home, locked_, [this] { return close_opened(); });
  if (outcome != page_run::outcome::given_back) {
    if (outcome == page_run::outcome::unlocked) locked_ = 0;
    platform::forbid(run_, opened_bytes());
    pages_.store(held_by::nobody, std::memory_order_release);
    return false;
  }
  slot_count_.store(0, std::memory_order_release);
  owned_.store(0, std::memory_order_release);
  free_count_ = 0;
  opened_.forget();
  locked_ = 0;
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
  if (absent_count == 0 || offset >= opened_bytes() || shown_ || protection_key_ != platform::default_key) return false;
  shown_ = true;
  return protect(access::read_write) == 0;
}

void slab::close_absent() {
  if (!shown_) return;
  shown_ = false;
  (void)protect(access::none);
}

}  // namespace lockfast::internal
