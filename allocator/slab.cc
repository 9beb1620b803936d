// slab.cc - a slab's pages, and what is seldom done to its slots.
#include "allocator/slab.h"

#include <cerrno>
#include <cstring>
#include <new>

#include "allocator/family.h"
#include "allocator/hiding.h"
#include "allocator/metadata.h"
#include "allocator/slab_region.h"

namespace lockfast::internal {
namespace {

using platform::access;

// Reads a word that its owner may be wiping: the reader finds out by the slot's state, and no sanitizer can know that.
[[gnu::noinline]] __attribute__((no_sanitize("thread"))) std::uint64_t racing_word(const std::byte* at) {
  return *static_cast<const volatile std::uint64_t*>(static_cast<const void*>(at));
}

// Whether bytes at a multiple of 8, a multiple of 8 of them, are zero, read in the same way.
bool racing_zero(const std::byte* at, std::size_t size) {
  std::uint64_t seen = 0;
  for (const std::byte* const end = at + size; at != end; at += sizeof seen) seen |= racing_word(at);
  return seen == 0;
}

// Wipes bytes that their owner may be using.
[[gnu::noinline]] __attribute__((no_sanitize("thread"))) void racing_wipe(std::byte* at, std::size_t size) {
  for (volatile auto* one = reinterpret_cast<volatile std::uint8_t*>(at); size != 0; --size) *one++ = 0;
}

// How often a signal handler yields to whoever is at work on a slot.
constexpr int most_waits = 1000;

}  // namespace

std::size_t slab::slots_in(std::size_t bytes) const { return (bytes - margin) / stride_; }

bool slab::cut(std::byte* run, std::size_t run_size, std::size_t capacity) {
  const std::size_t stride = capacity + overhead;
  const std::size_t most = (run_size - margin) / stride;
  if (most > record_count_) {
    auto* const slots = metadata::take_array<slot>(most);
    auto* const waiting = metadata::take_array<std::uint16_t>(most);
    if (slots == nullptr || waiting == nullptr) return false;
    for (std::size_t index = 0; index < most; ++index) new (slots + index) slot;
    slots_ = slots;
    free_ = waiting;
    record_count_ = most;
  }
  // A fork may have come in the middle of its retirement.
  slot_count_.store(0, std::memory_order_relaxed);
  free_count_ = 0;
  opened_ = 0;
  locked_ = 0;
  lock_refusal_ = 0;
  run_ = run;
  run_size_ = run_size;
  stride_ = stride;
  capacity_ = capacity;
  begin_ = run + margin;
  reciprocal_ = most == 1 ? 0 : ~std::uint64_t{0} / stride + 1;
  key_ = canary_key::make();
  pages_.store(held_by::nobody, std::memory_order_release);
  return true;
}

platform::error slab::open_hidden(const hiding::scope& held, std::byte* begin, std::size_t bytes, const opening& how) {
  if (const auto refusal = hiding::hide(held, begin, bytes, home.policy()); refusal != 0) return refusal;
  if (how.protection_key == platform::default_key) return 0;
  const auto refusal = platform::protect_by_key(begin, bytes, access::read_write, how.protection_key);
  if (refusal != 0) (void)hiding::unhide(held, begin, bytes, home.policy());
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
    close(begin, bytes);
    platform::discard(begin, bytes);
    return lock_refusal;
  }
  lock_refusal_ = lock_refusal;
  return 0;
}

platform::error slab::open_more(const opening& how) {
  const std::size_t page = platform::page_size();
  const std::size_t opened = opened_;
  const std::size_t least = (margin + (slot_count() + 1) * stride_ + page - 1) & ~(page - 1);
  if (least > run_size_) return ENOSPC;
  std::byte* const begin = run_ + opened;
  if (opened == 0) hide_error_ = how.hide_error;
  protection_key_ = how.protection_key;

  const hiding::scope held;
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
  const std::size_t before = slot_count();
  const std::size_t after = slots_in(wanted);
  opened_ = wanted;
  for (std::size_t index = before; index < after; ++index) put_free(index);
  slot_count_.store(after, std::memory_order_release);
  return 0;
}

platform::error slab::lock_after_closing(opening::lock wanted) {
  if (hidden() || locked_ == 0) return 0;
  const auto refusal = platform::lock(run_, locked_);
  if (refusal == 0 || wanted == opening::lock::always) return refusal;
  locked_ = 0;
  lock_refusal_ = refusal;
  return 0;
}

void slab::close(std::byte* begin, std::size_t bytes) const {
  // A key stays with its pages, which may be another's next.
  if (protection_key_ != platform::default_key) {
    (void)platform::protect_by_key(begin, bytes, access::none, platform::default_key);
  } else {
    (void)platform::protect(begin, bytes, access::none);
  }
}

bool slab::retire() {
  for (held_by seen = held_by::nobody;
       !pages_.compare_exchange_weak(seen, held_by::retire, std::memory_order_acquire, std::memory_order_relaxed);
       seen = held_by::nobody) {
    platform::yield();
  }
  bool untouched = true;
  for (std::size_t index = 0; index < slot_count(); ++index) untouched &= all_zero(place(index) - margin, stride_);
  if (!untouched) end(breach::write_after_free);
  wipe(run_, opened_);
  const hiding::scope held;
  if (hidden()) {
    if (hiding::unhide(held, run_, opened_, home.policy()) != 0) return false;
  } else {
    if (locked_ != 0 && platform::unlock(run_, locked_) != 0) return false;
    close(run_, opened_);
    platform::discard(run_, opened_);
  }
  slot_count_.store(0, std::memory_order_release);
  free_count_ = 0;
  opened_ = 0;
  locked_ = 0;
  lock_refusal_ = 0;
  return true;
}

std::size_t slab::take_free(std::size_t chosen) {
  const std::size_t index = free_[chosen];
  free_[chosen] = free_[--free_count_];
  return index;
}

void slab::put_free(std::size_t index) { free_[free_count_++] = static_cast<std::uint16_t>(index); }

bool slab::whole(std::size_t index, slot::facts known) const {
  const std::byte* const begin = place(index) - margin;
  const std::byte* const secret = begin + margin + known.shift();
  const slot_canary beside(key_, secret, known.tenant());
  if (known.is_live_and_full()) return beside.flanks(begin, begin + stride_ - margin);
  return beside.surrounds(begin, secret, size_of(known), begin + stride_);
}

std::byte* slab::admit(std::size_t index, std::size_t size, std::size_t shift, int value) {
  slot& entered = slots_[index];
  const slot::facts before = entered.read();
  std::byte* const begin = place(index) - margin;
  if (!before.is_free()) end(breach::double_free);
  if (!all_zero(begin, stride_)) end(breach::write_after_free);
  std::byte* const secret = begin + margin + shift;
  const slot::facts known = before.next(shift, capacity_ - shift - size);
  enter(entered, known.in(slot::state::entering));
  const slot_canary beside(key_, secret, known.tenant());
  if (size == capacity_) {
    beside.flank(begin, begin + stride_ - margin);
  } else {
    beside.surround(begin, secret, size, begin + stride_);
  }
  fill(secret, value, size);
  entered.write(known.in(slot::state::live));
  return secret;
}

std::byte* slab::admit(std::size_t index, std::size_t size, int value) {
  slot& entered = slots_[index];
  const slot::facts before = entered.read();
  std::byte* const secret = place(index);
  std::byte* const end_of_room = secret + capacity_;
  if (!before.is_free()) end(breach::double_free);
  const bool untouched = slot_canary::words_beside(secret - margin, end_of_room) == 0 && all_zero(secret, capacity_);
  if (!untouched) end(breach::write_after_free);
  const slot::facts known = before.next(0, capacity_ - size);
  enter(entered, known.in(slot::state::entering));
  const slot_canary beside(key_, secret, known.tenant());
  if (size == capacity_) {
    beside.flank(secret - margin, end_of_room);
  } else {
    beside.surround(secret - margin, secret, size, end_of_room + margin);
  }
  fill(secret, value, size);
  entered.write(known.in(slot::state::live));
  return secret;
}

bool slab::evict(std::byte* secret, std::size_t& index) {
  const auto [number, past] = quotient_of(secret - margin - begin_);
  if (number >= slot_count() || past >= reciprocal_) return false;
  index = static_cast<std::size_t>(number);
  slot& left = slots_[index];
  const slot::facts known = left.read();
  if (!known.is_live() || known.shift() != 0) return false;
  std::byte* const end_of_room = secret + capacity_;
  const slot_canary beside(key_, secret, known.tenant());
  const bool sound = known.is_live_and_full()
                         ? beside.flanks(secret - margin, end_of_room)
                         : beside.surrounds(secret - margin, secret, capacity_ - known.slack(), end_of_room + margin);
  if (!sound) return false;
  left.write(known.in(slot::state::free));
  std::atomic_thread_fence(std::memory_order_release);  // as in evict_quick
  slot_canary::wipe(secret - margin, end_of_room);
  wipe(secret, capacity_);
  return true;
}

void slab::evict(std::size_t index) {
  const slot::facts known = facts(index);
  if (!whole(index, known)) end(breach::broken_canary);
  slots_[index].write(known.in(slot::state::free));
  std::atomic_thread_fence(std::memory_order_release);  // as in evict_quick
  wipe(place(index) - margin, stride_);
}

bool slab::whole(std::size_t index) const { return whole(index, facts(index)); }

bool slab::whole_or_gone(std::size_t index) const {
  const slot::facts before = facts(index);
  if (!before.is_live()) return true;
  const std::byte* const begin = place(index) - margin;
  const std::byte* const secret = begin + margin + before.shift();
  const slot_canary beside(key_, secret, before.tenant());
  const bool same = beside.surrounds(begin, secret, size_of(before), begin + stride_, racing_word);
  std::atomic_thread_fence(std::memory_order_acquire);
  return same || facts(index) != before;
}

std::size_t slab::damaged_count() const {
  std::size_t damaged = 0;
  for (std::size_t index = 0; index < slot_count(); ++index) damaged += !whole_or_gone(index);
  return damaged;
}

void slab::resize(std::size_t index, std::size_t size) {
  const slot::facts before = facts(index);
  const slot::facts after = before.with_slack(capacity_ - before.shift() - size);
  const std::size_t size_before = size_of(before);
  std::byte* const begin = place(index) - margin;
  std::byte* const secret = begin + margin + before.shift();
  slots_[index].write(before.in(slot::state::busy));
  std::atomic_thread_fence(std::memory_order_release);
  if (size < size_before) wipe(secret + size, size_before - size);
  slot_canary(key_, secret, before.tenant()).surround(begin, secret, size, begin + stride_);
  if (size > size_before) fill(secret + size_before, fresh_byte, size - size_before);
  slots_[index].write(after.in(slot::state::live));
}

platform::error slab::lock_error(std::size_t index) const {
  const auto end = static_cast<std::size_t>(place(index) + capacity_ + margin - run_);
  return end <= locked_ ? 0 : static_cast<platform::error>(lock_refusal_);
}

bool slab::begin_wipe() {
  held_by seen = held_by::nobody;
  return pages_.compare_exchange_strong(seen, held_by::wipe, std::memory_order_acquire, std::memory_order_relaxed);
}

void slab::end_wipe() { pages_.store(held_by::nobody, std::memory_order_release); }

void slab::wipe_on_signal() {
  for (std::size_t index = 0; index < slot_count(); ++index) {
    // A free slot that is not zero is being wiped, by whoever may be stopped for good.
    std::byte* const begin = place(index) - margin;
    for (int waits = 0; facts(index).is_free() && !racing_zero(begin, stride_); ++waits) {
      if (waits == most_waits) racing_wipe(begin, stride_);
      platform::yield();
    }
    if (!facts(index).is_free()) racing_wipe(secret(index), size(index));
  }
}

void slab::overwrite_on_signal() {
  for (std::size_t index = 0; index < slot_count(); ++index) {
    if (!facts(index).is_free()) platform::overwrite({secret(index), size(index)});
  }
}

bool slab::fill_gap_in_child(std::size_t kept, platform::fork_policy policy) {
  std::byte* const begin = run_ + kept;
  const std::size_t bytes = opened_ - kept;
  const opening how = {opening::lock::if_possible, 0, protection_key_};
  if (open_hidden(hiding::scope(), begin, bytes, how) == 0) return true;
  // Not hidden as a whole any more, and told so of all of it.
  (void)platform::reserve_again(begin, bytes, policy);
  hide_error_ = ENOMEM;
  return open_locked(begin, bytes, how) == 0;
}

std::size_t slab::facts_bytes() const {
  const std::size_t page = platform::page_size();
  return (slots_in(opened_) * sizeof(std::uint64_t) + page - 1) & ~(page - 1);
}

// A slot that is not known yet reads as 0, which no slot with a tenant is.
void slab::copy_facts(std::byte* to) const {
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const std::uint64_t bits = facts(index).bits();
    std::memcpy(to + index * sizeof bits, &bits, sizeof bits);
  }
}

void slab::renew_in_child(const std::byte* known_then) {
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::facts known = facts(index);
    std::uint64_t then = 0;
    if (known_then != nullptr && (index + 1) * sizeof then <= facts_bytes()) {
      std::memcpy(&then, known_then + index * sizeof then, sizeof then);
    }
    if (known.is_free() || then == known.bits()) continue;
    std::byte* const begin = place(index) - margin;
    std::byte* const secret = begin + margin + known.shift();
    wipe(begin, stride_);
    slot_canary(key_, secret, known.tenant()).surround(begin, secret, size_of(known), begin + stride_);
  }
}

bool slab::restore_key_in_child() const {
  return protection_key_ == platform::default_key ||
         platform::protect_by_key(run_, opened_, access::read_write, protection_key_) == 0;
}

void slab::settle_in_child(contents found) {
  pages_.store(held_by::nobody, std::memory_order_relaxed);
  if (!hidden()) {
    const auto refusal = platform::lock_again(run_, locked_ != 0 ? locked_ : opened_);
    if (locked_ != 0 && refusal != 0) {
      locked_ = 0;
      lock_refusal_ = refusal;
    }
  }
  const canary_key renewed = canary_key::make();
  free_count_ = 0;
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::facts known = facts(index);
    std::byte* const begin = place(index) - margin;
    if (known.is_free() || known.current_state() == slot::state::entering) {
      // A thread of the parent may have been taking a tenant in or out.
      slots_[index].write(known.in(slot::state::free));
      wipe(begin, stride_);
      put_free(index);
      continue;
    }
    // Where the system gave a copy, the zeros are ours to make.
    if (found == contents::lost && home.fork_error() != 0) wipe(begin, stride_);
    const bool intact = found == contents::lost || !known.is_live() || whole(index, known);
    slots_[index].write(known.in(slot::state::live));
    std::byte* const secret = begin + margin + known.shift();
    // What was damaged stays so: under the new key its old canary is as wrong.
    if (intact) slot_canary(renewed, secret, known.tenant()).surround(begin, secret, size_of(known), begin + stride_);
  }
  key_ = renewed;
}

std::size_t slab::leave_absent() {
  pages_.store(held_by::nobody, std::memory_order_relaxed);
  std::size_t live = 0;
  free_count_ = 0;
  front_index = quick_index = no_family;
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::facts known = facts(index);
    if (known.is_free()) continue;
    const bool held = known.current_state() != slot::state::entering;
    slots_[index].write(known.in(held ? slot::state::live : slot::state::free));
    live += held;
  }
  opened_ = 0;
  locked_ = 0;
  lock_refusal_ = 0;
  absent_count = live;
  if (live == 0) slot_count_.store(0, std::memory_order_release);
  return live;
}

bool slab::evict_absent(std::size_t index) {
  slots_[index].write(facts(index).in(slot::state::free));
  if (--absent_count != 0) return false;
  slot_count_.store(0, std::memory_order_release);
  return true;
}

}  // namespace lockfast::internal
