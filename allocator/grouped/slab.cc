// slab.cc - what is done to a slab's slots, but for the quickest of it; slab_pages.cc has its pages, slab_in_child.cc what a fork
// makes of both.
#include "allocator/grouped/slab.h"

#include <algorithm>
#include <cerrno>

#include <new>

#include "allocator/base/backoff.h"
#include "allocator/base/metadata.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/base/wipes.h"
#include "allocator/grouped/fast_path.h"
#include "platform/access_checker.h"

namespace lockfast::internal {
namespace {

// Reads a word that its owner may be wiping: the reader finds out by the slot's state, and no sanitizer can know that.
[[gnu::noinline]] LOCKFAST_UNCHECKED __attribute__((no_sanitize("thread"))) std::uint64_t racing_word(const std::byte* at) {
  return *static_cast<const volatile std::uint64_t*>(static_cast<const void*>(at));
}

// Whether bytes at a multiple of 8, a multiple of 8 of them, are zero, read in the same way.
bool racing_zero(const std::byte* at, std::size_t size) {
  std::uint64_t seen = 0;
  for (const std::byte* const end = at + size; at != end; at += sizeof seen) seen |= racing_word(at);
  return seen == 0;
}

// Wipes bytes that their owner may be using.
[[gnu::noinline]] LOCKFAST_UNCHECKED __attribute__((no_sanitize("thread"))) void racing_wipe(std::byte* at, std::size_t size) {
  for (volatile auto* one = reinterpret_cast<volatile std::uint8_t*>(at); size != 0; --size) *one++ = 0;
}

// How often a signal handler yields to whoever is at work on a slot.
constexpr int max_turns = 1000;

}  // namespace

std::size_t slab::slots_in(std::size_t bytes) const { return (bytes - lead()) / stride_; }

bool slab::cut(std::byte* run, std::size_t run_size, std::size_t capacity, std::size_t place_alignment) {
  const std::size_t before_first = place_alignment - margin;
  // Without more alignment the capacity says where the next slot begins: of many a multiple of 16, of a single one any number.
  const std::size_t gap = place_alignment == alignment ? 0 : (0 - (capacity + overhead)) & (place_alignment - 1);
  const std::size_t stride = capacity + overhead + gap;
  const std::size_t most = (run_size - before_first) / stride;
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
  for (std::size_t index = 0; index < most; ++index) {
    if (!header(index).is_free()) slots_[index].write(header(index).freed());
  }
  slot_count_.store(0, std::memory_order_relaxed);
  owned_.store(0, std::memory_order_release);
  free_count_ = 0;
  withheld_ = 0;
  unread_ = 0;
  unwritten_ = 0;
  opened_.forget();
  locked_ = 0;
  run_ = run;
  run_size_ = run_size;
  stride_ = stride;
  capacity_ = capacity;
  begin_ = run + before_first;
  reciprocal_ = most == 1 ? 0 : ~std::uint64_t{0} / stride + 1;
  key_ = canary_key::make();
  owned_.store(most * stride, std::memory_order_release);
  pages_.store(held_by::nobody, std::memory_order_release);
  return true;
}

std::size_t slab::take_free(std::size_t chosen) {
  const std::size_t index = free_[chosen];
  free_[chosen] = free_[--free_count_];
  free_[free_count_] = free_[free_count_ + withheld_];
  return index;
}

void slab::put_free(std::size_t index) {
  free_[free_count_ + withheld_] = free_[free_count_];
  free_[free_count_++] = static_cast<std::uint16_t>(index);
}

bool slab::intact(std::size_t index, slot::header known) const {
  const std::byte* const begin = place(index) - margin;
  const std::byte* const secret = begin + margin + known.shift();
  const slot_canary beside(key_, secret, known.tenant());
  const platform::unreported canaries_too;
  if (known.is_live_and_full()) return canaries_too.known(beside.flanks(begin, begin + margin + capacity_));
  return canaries_too.known(beside.surrounds(begin, secret, size_of(known), begin + slot_size()));
}

std::byte* slab::occupy(std::size_t index, std::size_t size, std::size_t shift, int value) {
  slot& entered = slots_[index];
  const slot::header before = entered.read();
  std::byte* const room = place(index);
  std::byte* const end_of_room = room + capacity_;
  if (!before.is_free()) end(breach::double_free);
  platform::permit(room - margin, slot_size());
  const bool untouched = slot_canary::words_beside(room - margin, end_of_room) == 0 && all_zero(room, capacity_);
  if (!untouched) end(breach::write_after_free);
  std::byte* const secret = room + shift;
  const slot::header known = before.next(shift, capacity_ - shift - size);
  enter(entered, known.in(slot::state::entering));
  const slot_canary beside(key_, secret, known.tenant());
  if (size == capacity_) {
    beside.flank(room - margin, end_of_room);
  } else {
    beside.surround(room - margin, secret, size, end_of_room + margin);
  }
  if (value != 0) fill(secret, value, size);  // the place was just verified to be zero
  entered.write(known.in(slot::state::live));
  if (platform::has_access_checker()) [[unlikely]]
    announce(index);
  return secret;
}

void slab::forbid_all_but_secrets() const {
  if (!platform::has_access_checker()) return;
  platform::forbid(run_, opened_bytes());
  for (std::size_t index = 0; index < slot_count(); ++index) {
    if (!header(index).is_free()) platform::permit(secret(index), size(index));
  }
}

std::byte* slab::occupy_unusual(std::byte* place, std::size_t size) { return occupy(index_of(place), size, 0, 0); }

std::byte* slab::occupy_in_part(slot& entered, slot::header before, std::byte* secret, std::size_t size) {
  const slot::header live = before.next_live(capacity_ - size);
  enter(entered, live.in(slot::state::entering));
  slot_canary(key_, secret, live.tenant()).surround(secret - margin, secret, size, secret + capacity_ + margin);
  entered.write(live);
  return secret;
}

bool slab::vacate_in_part(slot& left, slot::header known, std::byte* secret) {
  if (!known.is_live() || !known.is_plain()) return false;
  std::byte* const end = secret + capacity_ + margin;
  const slot_canary beside(key_, secret, known.tenant());
  if (!beside.surrounds(secret - margin, secret, capacity_ - known.slack(), end)) return false;
  leave(left, known.freed());
  wipe(secret - margin, slot_size());
  return true;
}

bool slab::vacate(std::byte* secret, std::size_t& index) {
  if (!begins_slot(secret)) return false;
  index = index_of(secret);
  return vacate_in_part(slots_[index], header(index), secret);
}

void slab::vacate(std::size_t index) {
  const slot::header known = header(index);
  if (!intact(index, known)) end(breach::broken_canary);
  leave(slots_[index], known.freed());
  std::byte* const begin = place(index) - margin;
  platform::permit(begin, slot_size());
  wipe(begin, slot_size());
  platform::forget_secret(secret(index));
  platform::forbid(begin, slot_size());
}

void slab::announce(std::size_t index) const {
  forbid_beside(index);
  platform::name_secret(secret(index), size(index));
}

void slab::forbid_beside(std::size_t index) const {
  const slot::header known = header(index);
  const std::byte* const begin = place(index) - margin;
  const std::byte* const end_of_secret = begin + slot_size() - margin - known.slack();
  platform::forbid(begin, margin + known.shift());
  platform::forbid(end_of_secret, margin + known.slack());
}

bool slab::intact(std::size_t index) const { return intact(index, header(index)); }

bool slab::intact_or_freed(std::size_t index) const {
  const slot::header before = header(index);
  if (!before.is_live()) return true;
  const std::byte* const begin = place(index) - margin;
  const std::byte* const secret = begin + margin + before.shift();
  const platform::unreported canaries_too;
  const slot_canary beside(key_, secret, before.tenant());
  const bool same = canaries_too.known(beside.surrounds(begin, secret, size_of(before), begin + slot_size(), racing_word));
  std::atomic_thread_fence(std::memory_order_acquire);
  return same || header(index) != before;
}

std::size_t slab::damaged_count() const {
  std::size_t damaged = 0;
  for (std::size_t index = 0; index < slot_count(); ++index) damaged += !intact_or_freed(index);
  return damaged;
}

void slab::resize(std::size_t index, std::size_t size) {
  // So that a handler which wipes everything in this thread does not wait for it.
  const busy_scope mine(&slots_[index]);
  // A wipe of everything may hold the slot for a moment; it is live again afterwards.
  slot::header before = header(index);
  while (!before.is_live() || !slots_[index].change(before, before.in(slot::state::busy))) {
    if (!settles(index)) end(breach::double_free);
    before = header(index);
  }
  const slot::header after = before.with_slack(capacity_ - before.shift() - size);
  const std::size_t size_before = size_of(before);
  std::byte* const begin = place(index) - margin;
  std::byte* const secret = begin + margin + before.shift();
  std::atomic_thread_fence(std::memory_order_release);
  platform::permit(secret + std::min(size, size_before), slot_size() - margin - before.shift() - std::min(size, size_before));
  if (size < size_before) wipe(secret + size, size_before - size);
  // A signal handler that wipes everything in this thread goes by the header: from here on it leaves the new canary's bytes alone.
  slots_[index].write(after.in(slot::state::busy));
  std::atomic_thread_fence(std::memory_order_release);
  platform::permit(begin, margin + before.shift());
  slot_canary(key_, secret, before.tenant()).surround(begin, secret, size, begin + slot_size());
  if (size > size_before) fill(secret + size_before, 0, size - size_before);
  slots_[index].write(after.in(slot::state::live));
  platform::rename_secret(secret, size_before, size);
  forbid_beside(index);
}

platform::error slab::lock_error(std::size_t index) const {
  // Of any slab, also of one that another thread cuts now: place() may not be asked.
  const std::size_t end = lead() + index * stride_ + capacity_ + overhead;
  return end <= locked_ ? 0 : lock_refusal();
}

platform::error slab::lock_error_now(std::size_t index) const {
  const auto written = lock_error(index);
  if (written != 0 || hidden()) return written;
  const std::uintptr_t page = platform::page_size();
  const std::byte* const begin = place(index) - margin;
  const std::size_t before = reinterpret_cast<std::uintptr_t>(begin) % page;
  return page_run::lock_lost(begin - before, (before + stride_ + page - 1) / page * page) ? ECANCELED : 0;
}

bool slab::begin_wipe() {
  held_by seen = held_by::nobody;
  return pages_.compare_exchange_strong(seen, held_by::wipe, std::memory_order_acquire, std::memory_order_relaxed);
}

void slab::end_wipe() { pages_.store(held_by::nobody, std::memory_order_release); }

bool slab::wipe_on_signal() {
  const bool closed = unwritten_ != 0;
  if (closed && protect(platform::access::read_write) != 0) {
    const bool is_wiped = wipe_closed_on_signal();
    (void)close_noted_pages();
    return is_wiped;
  }
  for (std::size_t index = 0; index < slot_count(); ++index) {
    int turns = 0;
    while (!wipe_as_found(index, turns == max_turns)) {
      ++turns;
      platform::yield();
    }
  }
  if (closed) (void)close_noted_pages();
  return true;
}

bool slab::wipe_closed_on_signal() {
  bool is_wiped = true;
  for (std::size_t index = 0; index < slot_count(); ++index) {
    if (header(index).is_free()) continue;
    is_wiped &= !hidden() && platform::wipe_closed({secret(index), size(index)}) == 0;
  }
  return is_wiped;
}

// A live secret is held while it is wiped: it can be neither resized nor freed. Otherwise a shorter secret could follow in the slot, and
// its canary would be overwritten. One free is not held up: a thread that has read the state already. The look after each part shows it.
bool slab::wipe_as_found(std::size_t index, bool is_last) {
  constexpr std::size_t part = 64;
  const platform::unreported free_bytes_too;
  slot& one = slots_[index];
  const slot::header found = one.read();
  // Another thread frees or resizes it, or this one does, whose call a signal handler has interrupted. The last try waits for neither, since
  // a thread may never go on.
  const bool is_own = platform::of_thread(busy_with) == &one;
  const bool is_left_unwiped = found.is_free() && free_bytes_too.known(!racing_zero(place(index) - margin, slot_size()));
  if ((is_left_unwiped || found.is_busy()) && !is_last && !is_own) return false;
  if (is_left_unwiped) racing_wipe(place(index) - margin, slot_size());
  if (found.is_free()) return true;
  const slot::header held = found.is_live() ? found.in(slot::state::busy) : found;
  if (found.is_live() && !one.change(found, held) && !is_last) return false;
  bool is_held = true;
  std::byte* at = place(index) + found.shift();
  for (std::size_t left = size_of(found); left != 0 && (is_held || is_last);) {
    const std::size_t now = left < part ? left : part;
    racing_wipe(at, now);
    at += now;
    left -= now;
    is_held = one.read() == held;
  }
  const bool is_as_found = is_held && (held == found || one.change(held, found));
  return is_as_found || is_last;
}

bool slab::settles(std::size_t index) const {
  // Not without end: a signal handler may have interrupted the wipe in this thread.
  backoff wait;
  for (int turns = 0; turns < 4 * max_turns; ++turns) {
    const wipes::look before;
    const slot::header now = header(index);
    if (!now.is_busy()) return now.is_live();
    // Then another thread resizes it.
    if (!before.wiped()) return false;
    wait.wait();
  }
  return false;
}

void slab::overwrite_on_signal() {
  for (std::size_t index = 0; index < slot_count(); ++index) {
    if (!header(index).is_free()) platform::overwrite({secret(index), size(index)});
  }
}

}  // namespace lockfast::internal
