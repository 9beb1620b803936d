// span.cc - what is done to the pages of one isolated secret.
#include "allocator/isolated/span.h"

#include <cerrno>

#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/pages/map_watch.h"
#include "allocator/base/openings.h"
#include "allocator/pages/room.h"
#include "allocator/isolated/span_region.h"

namespace lockfast::internal {

using platform::access;

void span::note_opened(access now, bool had_map) {
  access_ = now;
  if (!had_map) map_watch::add_run();
  openings::count(lock_error(), home.dump_error(), hide_error(), home.fork_error());
}

platform::error span::open(const tenancy& wanted, page_run::lock_wanted lock, platform::error hide_error,
                           page_run::stay for_how_long) {
  const std::size_t bytes = wanted.run_size;
  std::byte* const begin = wanted.address + wanted.size + wanted.gap - bytes;
  if (!has_room_for(bytes)) return ENOMEM;
  const bool had_map = left_map();
  const fork_exclusion::scope held;
  const page_run::opening how = {.lock = lock, .hide_error = hide_error, .for_how_long = for_how_long};
  // Before there is a run, as protect() does.
  access_ = access::read_write;
  const auto refusal =
      home.marked() ? open_between_markers(begin, bytes, lock, hide_error) : run_.open(held, home, begin, bytes, how);
  if (refusal == 0) {
    note_opened(access::read_write, had_map);
  } else {
    access_ = access::none;
  }
  return refusal;
}

platform::error span::open_between_markers(std::byte* begin, std::size_t size, page_run::lock_wanted lock,
                                           platform::error hide_error) {
  // Asked first, since a lock comes with a look at the filters, which takes longer than all else here.
  const bool is_locked = platform::lock_held(begin, size) == platform::hold::all;
  const auto lock_refusal = is_locked ? 0 : platform::renew_lock(begin, size);
  if (lock_refusal != 0 && lock == page_run::lock_wanted::always) return lock_refusal;
  // What was sealed is sealed again, or closed, whatever maps there are by then.
  if (sealed()) {
    if (const auto refusal = platform::set_apart(begin, size); refusal != 0) return refusal;
  }
  if (const auto refusal = platform::unmark(begin, size); refusal != 0) {
    if (sealed()) platform::join_again(begin, size);
    return refusal;
  }
  run_.adopt(begin, size, lock_refusal, hide_error);
  return 0;
}

platform::error span::open_ahead(std::size_t page, platform::error hide_error, bool traps) {
  const std::size_t bytes = home.place_pages() * page;
  std::byte* const begin = home.end_of(*this) - bytes;
  const page_run::opening how = {.lock = page_run::lock_wanted::always, .hide_error = hide_error};
  const bool had_map = left_map();
  const fork_exclusion::scope held;
  access opened = access::read_write;
  platform::error refusal = 0;
  if (hide_error == 0) {
    refusal = run_.open_hidden(held, home, begin, bytes, how);
  } else if (traps) {
    // Locked as they are: the tenant's first byte brings each page into RAM.
    refusal = platform::renew_lock(begin, bytes);
    if (refusal == 0) run_.adopt(begin, bytes, 0, hide_error);
    opened = access::none;
  } else {
    refusal = run_.open(held, home, begin, bytes, how);
  }
  if (refusal != 0) return refusal;
  // The last tenant, whose bytes untouched() verifies, may have lived in a region that had this record before.
  const bool is_inside = address_ != nullptr && tenant() >= begin && tenant() <= begin + bytes &&
                         tenant_size() <= static_cast<std::size_t>(begin + bytes - tenant());
  if (!is_inside) address_ = nullptr;
  forbid_run();
  note_opened(opened, had_map);
  return traps ? protect(access::none) : 0;
}

platform::error span::lock_error_now() const {
  if (lock_error() != 0 || hidden() || run_.empty()) return lock_error();
  return page_run::lock_lost(run(), run_size()) ? ECANCELED : 0;
}

void span::renew_lock() { (void)run_.renew_lock(locked_bytes()); }

platform::error span::show() {
  content_ = content::shown;
  const auto refusal = protect(access::read);
  if (refusal != 0) content_ = content::plain;
  return refusal;
}

platform::error span::hide_again() {
  const auto refusal = protect(access::none);
  content_ = content::plain;
  return refusal;
}

platform::error span::set_apart() { return home.marked() ? platform::set_apart(run(), run_size()) : 0; }

bool span::intact(const canary_key& key) const {
  const auto in_front = static_cast<std::size_t>(tenant() - run());
  platform::permit(run(), in_front);
  const bool is_intact = canaries_intact(key) && all_zero(run(), in_front);
  platform::forbid(run(), in_front);
  return is_intact;
}

bool span::canaries_match_unreported(const canary_key& key) const {
  const platform::unreported canaries_too;
  return canaries_too.known(canaries_match(key));
}

void span::forbid_beside() const {
  platform::forbid(run(), static_cast<std::size_t>(address_ - run()));
  platform::permit(address_, size_);
  platform::forbid(address_ + size_, gap());
}

void span::announce() const {
  forbid_beside();
  platform::name_secret(address_, size_);
}

platform::error span::mark_again() {
  lock_watch::forget(run(), run_size());
  return platform::mark_again(run(), run_size());
}

bool span::retire(region_of_run after) {
  const access before = access_;
  // What is closed and has no tenant was wiped before it was closed. What is open is zero, but for what a stray write left in front of
  // the canary.
  const bool is_wiped = after == region_of_run::goes || (before == access::none && content_ == content::none);
  if (!is_wiped && protect(access::read_write) == 0) wipe_run();
  const fork_exclusion::scope held;
  const auto close = [&] { return after == region_of_run::goes || access_ == access::none ? 0 : protect(access::none); };
  // Markers may be refused at the limit on maps.
  const bool given_back =
      home.marked() ? mark_again() == 0 : run_.give_back(held, home, locked_bytes(), close) == page_run::outcome::given_back;
  if (given_back) {
    forget_run();
  } else if (access_ != before) {
    (void)protect(before);
  }
  return given_back;
}

// A map that is left counts as a run.
void span::forget_run(page_run::map of_pages) {
  platform::permit(run(), run_size());
  if (of_pages == page_run::map::joined && (!run_.empty() || left_map())) map_watch::drop_run();
  run_.forget(of_pages);
  access_ = access::none;
}

// ---- A signal handler that wipes -------------------------------------------------------------------------------------------

namespace {

// Longer than any operation on a span takes, whose thread may have to be scheduled first. Without end it would be a deadlock in a
// program that forks, or wipes everything, in a handler of the signal which ended that operation.
constexpr int max_waits = 4000;  // most of them short sleeps

}  // namespace

bool span::claim_for_copy() {
  backoff turns;
  for (int waits = 0; waits < max_waits; ++waits) {
    state seen = state::live;
    if (state_.compare_exchange_strong(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed)) return true;
    if (seen != state::busy) return false;
    turns.wait();
  }
  return false;
}

platform::error span::wipe_closed_run() {
  if (hidden()) return ENOTSUP;
  return platform::wipe_closed({run(), run_size()});
}

bool span::wipe_on_signal(platform::after_wipe leaves) {
  const bool closes = leaves == platform::after_wipe::closed;
  // What a call of this thread has busy, which the handler has interrupted, stays so.
  const bool is_own =
      platform::of_thread(busy_with) == this || platform::of_thread(busy_besides) == this || platform::single_threaded();
  backoff turns;
  for (int waits = 0; waits < max_waits; ++waits) {
    state seen = state::live;
    if (state_.compare_exchange_strong(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed)) {
      const busy_scope mine(this);
      const access before = access_;
      bool is_wiped = sealed();
      if (!is_wiped && protect(access::read_write) == 0) {
        wipe(address_, size_);
        is_wiped = true;
      }
      if (!is_wiped) is_wiped = platform::wipe_closed({address(), size()}) == 0;
      const auto refusal = sealed() ? 0 : protect(closes ? access::none : before);
      set(closes ? state::absent : state::live);
      return is_wiped && (!closes || refusal == 0);
    }
    if (seen != state::busy) return true;
    if (is_own) break;
    turns.wait();
  }
  std::byte* const begin = address_;
  const bool in_run = content_ != content::none && begin > run() && begin + size_ <= run() + run_size();
  // Nothing is in the closed run of a sealed secret.
  if (!in_run || (sealed() && access_ == access::none)) return true;
  if (platform::protect(run(), run_size(), access::read_write) != 0) {
    const bool is_wiped = platform::wipe_closed({begin, size_}) == 0;
    return is_wiped && (!closes || platform::protect(run(), run_size(), access::none) == 0);
  }
  if (is_own) {
    // The pages stay as they are until the handler returns, and are then as the interrupted call is to leave them.
    wipe(begin, size_);
    return platform::protect(run(), run_size(), closes ? access::none : current_access()) == 0 || !closes;
  }
  // Another thread, which has it busy, may close it at any moment.
  platform::overwrite({begin, size_});
  return !closes || platform::protect(run(), run_size(), access::none) == 0;
}

bool span::show_absent() {
  if (!claim_absent()) return false;
  const bool shown = !run_.empty() && access_ != access::read_write && protect(access::read_write) == 0;
  set(state::absent);
  return shown;
}

void span::close_absent() {
  if (!claim_absent()) return;
  if (!run_.empty()) (void)protect(access::none);
  set(state::absent);
}

}  // namespace lockfast::internal
