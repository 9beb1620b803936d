// slab.cc - a slab's pages, and what is seldom done to its slots.
#include "allocator/slab.h"

#include <cerrno>
#include <new>

#include "allocator/metadata.h"

namespace lockfast::internal {
namespace {

using platform::access;

// Reads a word that its owner may be wiping: the reader finds out by the slot's state, and no sanitizer can know that.
[[gnu::noinline]] __attribute__((no_sanitize("thread"))) std::uint64_t racing_word(const std::byte* at) {
  return *reinterpret_cast<const volatile std::uint64_t*>(at);
}

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
  run_ = run;
  run_size_ = run_size;
  stride_ = stride;
  capacity_ = capacity;
  first_ = run + alignment;
  reciprocal_ = most == 1 ? 0 : (std::uint64_t{1} << 40) / stride + 1;
  key_ = canary_key::make();
  return true;
}

platform::error slab::open_more(const opening& how) {
  const std::size_t page = platform::page_size();
  const std::size_t opened = opened_;
  const std::size_t wanted = (margin + (slot_count_ + 1) * stride_ + page - 1) & ~(page - 1);
  if (wanted > run_size_) return ENOSPC;
  std::byte* const begin = run_ + opened;
  const std::size_t bytes = wanted - opened;
  const auto refusal = how.protection_key == platform::default_key
                           ? platform::protect(begin, bytes, access::read_write)
                           : platform::protect_by_key(begin, bytes, access::read_write, how.protection_key);
  if (refusal != 0) return refusal;
  // Pages behind one that is not locked are not locked either: what is locked stays one piece.
  platform::error lock_refusal = lock_refusal_;
  if (lock_refusal == 0) lock_refusal = platform::lock(begin, bytes);
  if (lock_refusal != 0 && how.wanted == opening::lock::always) {
    platform::discard(begin, bytes);
    close(begin, bytes);
    return lock_refusal;
  }
  protection_key_ = how.protection_key;
  if (lock_refusal == 0) locked_ = wanted;
  lock_refusal_ = lock_refusal;
  const std::size_t before = slot_count_;
  const std::size_t after = slots_in(wanted);
  opened_ = wanted;
  for (std::size_t index = before; index < after; ++index) put_free(index);
  slot_count_ = after;
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
  bool untouched = true;
  for (std::size_t index = 0; index < slot_count_; ++index) untouched &= all_zero(place(index) - margin, stride_);
  if (!untouched) end(breach::write_after_free);
  wipe(run_, opened_);
  if (locked_ != 0 && platform::unlock(run_, locked_) != 0) return false;
  platform::discard(run_, opened_);
  close(run_, opened_);
  slot_count_ = 0;
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

bool slab::whole_or_gone(std::size_t index) const {
  const slot& seen = slots_[index];
  const std::uint32_t before = seen.word();
  if (seen.current_state() != slot::state::live) return true;
  const std::byte* const begin = place(index) - margin;
  const std::byte* const at = secret(index);
  const std::byte* const end = place(index) + capacity_ + margin;
  const bool same = canary_of(index).surrounds(begin, at, size(index), end, racing_word);
  std::atomic_thread_fence(std::memory_order_acquire);
  return same || seen.word() != before;
}

std::size_t slab::damaged_count() const {
  std::size_t damaged = 0;
  for (std::size_t index = 0; index < slot_count_; ++index) damaged += !whole_or_gone(index);
  return damaged;
}

void slab::resize(std::size_t index, std::size_t size) {
  slot& resized = slots_[index];
  const std::size_t before = this->size(index);
  std::byte* const at = secret(index);
  resized.set(slot::state::busy);
  std::atomic_thread_fence(std::memory_order_release);
  const canary beside = canary_of(index);
  if (size < before) wipe(at + size, before - size);
  resized.arrange(resized.shift(), capacity_ - resized.shift() - size);
  beside.surround(place(index) - margin, at, size, place(index) + capacity_ + margin);
  if (size > before) fill(at + before, fresh_byte, size - before);
  resized.set(slot::state::live);
}

platform::error slab::lock_error(std::size_t index) const {
  const auto end = static_cast<std::size_t>(place(index) + capacity_ + margin - run_);
  return end <= locked_ ? 0 : static_cast<platform::error>(lock_refusal_);
}

void slab::wipe_on_signal() {
  for (std::size_t index = 0; index < slot_count_; ++index) {
    if (slots_[index].current_state() == slot::state::free) {
      wipe(place(index) - margin, stride_);
    } else {
      wipe(secret(index), size(index));
    }
  }
}

void slab::settle_in_child(platform::fork_policy policy) {
  if (opened_ == 0) return;
  const auto refusal = platform::lock_again(run_, locked_ != 0 ? locked_ : opened_);
  if (locked_ != 0 && refusal != 0) {
    locked_ = 0;
    lock_refusal_ = refusal;
  }
  const canary_key renewed = canary_key::make();
  free_count_ = 0;
  for (std::size_t index = 0; index < slot_count_; ++index) {
    slot& one = slots_[index];
    if (one.current_state() == slot::state::free) {
      // A thread of the parent may have been taking a tenant in or out.
      wipe(place(index) - margin, stride_);
      put_free(index);
      continue;
    }
    const bool intact = policy == platform::fork_policy::wipe || one.current_state() == slot::state::busy || whole(index);
    one.set(slot::state::live);
    const canary beside(renewed, secret(index), one.generation());
    // What was damaged stays so: under the new key its old canary is as wrong.
    if (intact) beside.surround(place(index) - margin, secret(index), size(index), place(index) + capacity_ + margin);
  }
  key_ = renewed;
}

std::size_t slab::leave_absent() {
  absent_count = 0;
  free_count_ = 0;
  for (std::size_t index = 0; index < slot_count_; ++index) {
    slot& one = slots_[index];
    if (one.current_state() == slot::state::busy) one.set(slot::state::live);
    absent_count += one.current_state() == slot::state::live;
  }
  opened_ = 0;
  locked_ = 0;
  lock_refusal_ = 0;
  if (absent_count == 0) slot_count_ = 0;
  return absent_count;
}

void slab::evict_absent(std::size_t index) {
  slots_[index].set(slot::state::free);
  if (--absent_count == 0) slot_count_ = 0;
}

}  // namespace lockfast::internal
