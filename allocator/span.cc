// span.cc - what is done to the pages of one isolated secret.
#include "allocator/span.h"

#include "allocator/bytes.h"

namespace lockfast::internal {

using platform::access;

platform::error span::open(const tenancy& wanted, lock_wanted lock) {
  const std::size_t bytes = wanted.run_size;
  std::byte* const begin = wanted.address + wanted.size + wanted.gap - bytes;
  if (const auto refusal = platform::protect(begin, bytes, access::read_write); refusal != 0) return refusal;
  const auto lock_refusal = platform::lock(begin, bytes);
  if (lock_refusal != 0 && lock == lock_wanted::always) {
    platform::discard(begin, bytes);
    (void)platform::protect(begin, bytes, access::none);
    return lock_refusal;
  }
  run_ = begin;
  run_size_ = bytes;
  lock_error_ = lock_refusal;
  access_ = access::read_write;
  return 0;
}

bool span::whole(const canary_key& key) const {
  return canaries_whole(key) && all_zero(run_, static_cast<std::size_t>(tenant() - run_));
}

bool span::retire() {
  // An idle run is zero, but for what a stray write left in front of the canary.
  if (protect(access::read_write) == 0) wipe_run();
  if (lock_error_ == 0 && platform::unlock(run_, run_size_) != 0) return false;
  platform::discard(run_, run_size_);
  (void)protect(access::none);
  run_ = nullptr;
  run_size_ = 0;
  lock_error_ = 0;
  access_ = access::none;
  return true;
}

bool span::settle_in_child(const canary_key& key, platform::fork_policy policy) {
  if (run_ == nullptr) return false;
  const access wanted = access_;
  // Not through protect(): a thread of the parent may have been between the system call and the record of it.
  if (const auto refusal = platform::protect(run_, run_size_, access::read_write); refusal != 0) {
    lock_error_ = refusal;
    return has_tenant_;
  }
  access_ = access::read_write;
  if (!has_tenant_) {
    // A thread of the parent was taking a tenant in or out: the child's copy may hold what that thread had yet to wipe.
    wipe_run();
    return false;
  }
  lock_error_ = platform::lock_again(run_, run_size_);
  if (policy == platform::fork_policy::wipe) {
    const canary whole(key, address_, generation_);
    whole.write(tenant());
    whole.write_gap(address_ + size_, gap_);
  }
  (void)protect(wanted);
  return true;
}

void span::forget_in_child() {
  if (run_ != nullptr) {
    (void)platform::unlock(run_, run_size_);
    platform::discard(run_, run_size_);
    (void)platform::protect(run_, run_size_, access::none);
  }
  run_ = nullptr;
  run_size_ = 0;
  has_tenant_ = false;
  lock_error_ = 0;
  access_ = access::none;
}

void span::wipe_on_signal() {
  constexpr int most_waits = 1000;
  for (int waits = 0; waits < most_waits; ++waits) {
    state seen = state::live;
    if (state_.compare_exchange_strong(seen, state::busy, std::memory_order_acquire, std::memory_order_relaxed)) {
      const access before = access_;
      if (protect(access::read_write) == 0) wipe(address_, size_);
      (void)protect(before);
      set(state::live);
      return;
    }
    if (seen != state::busy) return;
    platform::yield();
  }
  std::byte* const begin = address_;
  const bool in_run = begin > run_ && begin + size_ <= run_ + run_size_;
  if (in_run && platform::protect(run_, run_size_, access::read_write) == 0) wipe(begin, size_);
}

}  // namespace lockfast::internal
