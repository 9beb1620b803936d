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

platform::error span::open(const tenancy& wanted, lock_wanted lock, platform::error hide_error) {
  const std::size_t bytes = wanted.run_size;
  std::byte* const begin = wanted.address + wanted.size + wanted.gap - bytes;
  platform::error lock_refusal = 0;
  if (!has_room_for(bytes)) return ENOMEM;
  const fork_exclusion::scope held;
  if (home.marked()) {
    lock_refusal = platform::renew_lock(begin, bytes);
    if (lock_refusal != 0 && lock == lock_wanted::always) return lock_refusal;
    // What was sealed is sealed again, or closed, whatever maps there are by then.
    if (sealed()) {
      if (const auto refusal = platform::set_apart(begin, bytes); refusal != 0) return refusal;
    }
    if (const auto refusal = platform::unmark(begin, bytes); refusal != 0) {
      if (sealed()) platform::join_again(begin, bytes);
      return refusal;
    }
  } else {
    if (hide_error == 0) hide_error = fork_exclusion::hide(held, begin, bytes, home.policy());
    if (hide_error != 0) {
      if (const auto refusal = platform::protect(begin, bytes, access::read_write); refusal != 0) return refusal;
      lock_refusal = sealed() ? platform::lock_briefly(begin, bytes) : platform::lock(begin, bytes);
    }
  }
  if (lock_refusal != 0 && lock == lock_wanted::always) {
    (void)platform::protect(begin, bytes, access::none);
    platform::discard(begin, bytes);
    return lock_refusal;
  }
  if (lock_refusal == 0 && hide_error != 0) lock_watch::see_locked(begin);
  run_ = begin;
  run_size_ = bytes;
  lock_error_ = static_cast<std::int16_t>(lock_refusal);
  hide_error_ = static_cast<std::int16_t>(hide_error);
  access_ = access::read_write;
  map_watch::add_run();
  openings::count(lock_refusal, home.dump_error(), hide_error, home.fork_error());
  return 0;
}

platform::error span::open_ahead(std::size_t page, platform::error hide_error, bool traps) {
  const std::size_t bytes = home.place_pages() * page;
  std::byte* const begin = home.end_of(*this) - bytes;
  const fork_exclusion::scope held;
  access opened = access::read_write;
  if (hide_error == 0) {
    if (const auto refusal = fork_exclusion::hide(held, begin, bytes, home.policy()); refusal != 0) return refusal;
  } else if (traps) {
    // Locked as they are: the tenant's first byte brings each page into RAM.
    if (const auto refusal = platform::renew_lock(begin, bytes); refusal != 0) return refusal;
    opened = access::none;
  } else {
    if (const auto refusal = platform::protect(begin, bytes, access::read_write); refusal != 0) return refusal;
    if (const auto refusal = platform::lock(begin, bytes); refusal != 0) {
      (void)platform::protect(begin, bytes, access::none);
      platform::discard(begin, bytes);
      return refusal;
    }
  }
  if (hide_error != 0) lock_watch::see_locked(begin);
  run_ = begin;
  run_size_ = bytes;
  // The last tenant, whose bytes untouched() verifies, may have lived in a region that had this record before.
  const bool is_inside = address_ != nullptr && tenant() >= begin && tenant() <= begin + bytes &&
                         tenant_size() <= static_cast<std::size_t>(begin + bytes - tenant());
  if (!is_inside) address_ = nullptr;
  lock_error_ = 0;
  hide_error_ = static_cast<std::int16_t>(hide_error);
  access_ = opened;
  map_watch::add_run();
  openings::count(0, home.dump_error(), hide_error, home.fork_error());
  return traps ? protect(access::none) : 0;
}

platform::error span::lock_error_now() const {
  if (lock_error_ != 0 || hidden() || run_ == nullptr) return lock_error_;
  const auto held = platform::lock_held(run_, run_size_);
  return held == platform::hold::none || held == platform::hold::some ? ECANCELED : 0;
}

void span::renew_lock() {
  if (lock_error_ != 0 || hidden() || run_ == nullptr) return;
  if (lock_error_now() != 0) lock_error_ = static_cast<std::int16_t>(platform::renew_lock(run_, run_size_));
  if (lock_error_ == 0) lock_watch::see_locked(run_);
}

platform::error span::set_apart() { return home.marked() ? platform::set_apart(run_, run_size_) : 0; }

bool span::intact(const canary_key& key) const {
  return canaries_intact(key) && all_zero(run_, static_cast<std::size_t>(tenant() - run_));
}

bool span::retire() {
  const access before = access_;
  lock_watch::forget(run_, run_size_);
  // An idle run is zero, but for what a stray write left in front of the canary.
  if (protect(access::read_write) == 0) wipe_run();
  const fork_exclusion::scope held;
  if (hidden()) {
    if (fork_exclusion::unhide(held, run_, run_size_, home.policy()) != 0) {
      (void)protect(before);
      return false;
    }
  } else if (home.marked()) {
    // At the limit on maps it may be refused.
    if (platform::mark_again(run_, run_size_) != 0) {
      (void)protect(before);
      return false;
    }
  } else {
    if (lock_error_ == 0 && platform::unlock(run_, run_size_) != 0) {
      (void)protect(before);
      return false;
    }
    if (protect(access::none) != 0) {
      if (lock_error_ == 0) lock_error_ = static_cast<std::int16_t>(platform::lock(run_, run_size_));
      return false;
    }
    platform::discard(run_, run_size_);
  }
  forget_run();
  return true;
}

void span::forget_run() {
  if (run_ != nullptr) map_watch::drop_run();
  run_ = nullptr;
  run_size_ = 0;
  lock_error_ = 0;
  hide_error_ = -1;
  access_ = access::none;
}

// ---- At rest ----------------------------------------------------------------------------------------------------------------

span::tenancy span::tenant_place(std::size_t page) const {
  std::byte* const end = address_ + size_ + gap();
  std::byte* const begin = tenant() - (reinterpret_cast<std::uintptr_t>(tenant()) & (page - 1));
  return {.address = address_, .size = size_, .gap = gap(), .run_size = static_cast<std::size_t>(end - begin)};
}

platform::error span::seal(rest_key& key) {
  sealed_record* const made = sealed_record::take(size_);
  if (made == nullptr) return ENOMEM;
  // Each sealing is a generation of its own, so that no earlier record stands for a later one.
  ++generation_;
  if (const auto refusal = key.seal(bond(), address_, size_, *made); refusal != 0) {
    --generation_;
    sealed_record::give_back(made, size_);
    return refusal;
  }
  become_sealed(*made);
  wipe(run_, run_size_);
  return 0;
}

// A generation of its own, as each sealing has: no record that the parent makes later is like it.
sealed_record* span::seal_copy(rest_key& key, const canary_key& beside) {
  sealed_record* const made = sealed_record::take(size_);
  if (made == nullptr) return nullptr;
  ++generation_;
  if (key.seal(bond(), address_, size_, *made) != 0) {
    --generation_;
    sealed_record::give_back(made, size_);
    return nullptr;
  }
  write_canaries(beside);
  return made;
}

platform::error span::found_key(rest_key& key) {
  sealed_record* const made = sealed_record::take(size_);
  if (made == nullptr) return ENOMEM;
  const rest_key::founding key_held(key);
  const fork_exclusion::scope held;
  ++generation_;
  const rest_key::founder founder = {run_, home.blank(), home.policy(), hide_error_, address_, size_};
  if (const auto refusal = key.found(key_held, founder, bond(), *made); refusal != 0) {
    --generation_;
    write_canaries(home.key());
    sealed_record::give_back(made, size_);
    return refusal;
  }
  become_sealed(*made);
  lock_watch::forget(run_, run_size_);
  forget_run();
  return 0;
}

void span::become_sealed(sealed_record& in) {
  remember_lock_error();
  link_ = reinterpret_cast<std::uintptr_t>(&in);
  content_ = content::sealed;
}

void span::write_canaries(const canary_key& key) {
  const canary beside(key, address_, generation_);
  beside.write(tenant());
  beside.write_gap(address_ + size_, gap());
}

rest_key::outcome span::write_unsealed(const rest_key& key, const canary_key& beside) {
  if (record() != nullptr) {
    const auto found = key.open(bond(), *record(), address_, size_);
    if (found == rest_key::outcome::damaged) return found;
  }
  write_canaries(beside);
  return rest_key::outcome::opened;
}

rest_key::outcome span::verify_record(const rest_key& key) const {
  return record() == nullptr ? rest_key::outcome::opened : key.verify(bond(), *record(), size_);
}

void span::drop_record() {
  sealed_record* const dropped = record();
  content_ = content::plain;
  link_ = 0;
  if (dropped != nullptr) sealed_record::give_back(dropped, size_);
}

platform::error span::take_run_of(span& donor, const tenancy& wanted) {
  const std::size_t bytes = wanted.run_size;
  std::byte* const begin = wanted.address + wanted.size + wanted.gap - bytes;
  const fork_exclusion::scope held;
  if (const auto refusal = platform::map_hidden_twice(donor.run_, begin, bytes); refusal != 0) return refusal;
  if (const auto refusal = fork_exclusion::vacate(donor.run_, bytes, donor.home.blank(), donor.home.policy()); refusal != 0) {
    // The pages are in both places: they stay in the first.
    if (fork_exclusion::vacate(begin, bytes, home.blank(), home.policy()) == 0) return refusal;
    end_process(breach::access_refused, breach_signal::abort);
  }
  run_ = begin;
  run_size_ = bytes;
  lock_error_ = static_cast<std::int16_t>(donor.lock_error());
  hide_error_ = static_cast<std::int16_t>(donor.hide_error());
  access_ = access::read_write;
  map_watch::add_run();
  donor.forget_run();
  return 0;
}

platform::error span::vacate() {
  lock_watch::forget(run_, run_size_);
  const fork_exclusion::scope held;
  platform::error refusal = ENOTSUP;
  if (home.marked()) {
    refusal = platform::mark_again(run_, run_size_);
  } else if (refusal = fork_exclusion::vacate(run_, run_size_, home.blank(), home.policy()); refusal != 0) {
    if (hidden()) {
      refusal = fork_exclusion::unhide(held, run_, run_size_, home.policy());
    } else {
      refusal = lock_error_ == 0 ? platform::unlock(run_, run_size_) : 0;
      if (refusal == 0) {
        (void)protect(access::none);
        platform::discard(run_, run_size_);
      }
    }
  }
  if (refusal == 0) forget_run();
  return refusal;
}

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

bool span::wipe_on_signal(platform::after_wipe leaves) {
  const bool closes = leaves == platform::after_wipe::closed;
  // What this thread's own call has busy, which the handler has interrupted, stays so.
  const bool is_own = platform::of_thread(busy_with) == this;
  backoff turns;
  for (int waits = 0; waits < max_waits; ++waits) {
    state seen = state::live;
    if (state_.compare_exchange_strong(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed)) {
      const access before = access_;
      if (!sealed() && protect(access::read_write) == 0) wipe(address_, size_);
      const auto refusal = sealed() ? 0 : protect(closes ? access::none : before);
      set(closes ? state::absent : state::live);
      return !closes || refusal == 0;
    }
    if (seen != state::busy) return true;
    if (is_own) break;
    turns.wait();
  }
  std::byte* const begin = address_;
  const bool in_run = content_ != content::none && begin > run_ && begin + size_ <= run_ + run_size_;
  // Whoever has it busy, this thread or another, may close it at any moment.
  if (in_run && platform::protect(run_, run_size_, access::read_write) == 0) platform::overwrite({begin, size_});
  return !in_run || !closes || platform::protect(run_, run_size_, access::none) == 0;
}

bool span::show_absent() {
  if (!claim_absent()) return false;
  const bool shown = run_ != nullptr && access_ != access::read_write && protect(access::read_write) == 0;
  set(state::absent);
  return shown;
}

void span::close_absent() {
  if (!claim_absent()) return;
  if (run_ != nullptr) (void)protect(access::none);
  set(state::absent);
}

}  // namespace lockfast::internal
