// slab_in_child.cc - what a fork makes of a slab: what is copied before it, and what the child finds.
#include "allocator/grouped/slab.h"

#include <cstring>

#include "allocator/base/family.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/grouped/slab_region.h"
#include "platform/access_checker.h"

namespace lockfast::internal {

// Where a part of the gap is not hidden, the receipts say so of the whole slab.
bool slab::fill_gap_in_child(std::size_t kept) { return opened_.fill_gap_in_child(home, kept, protection_key_); }

std::size_t slab::headers_bytes() const {
  const std::size_t page = platform::page_size();
  return (slots_in(opened_bytes()) * sizeof(std::uint64_t) + page - 1) & ~(page - 1);
}

// A slot that is not known yet reads as 0, which no slot with a tenant is.
void slab::copy_headers(std::byte* to) const {
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const std::uint64_t bits = header(index).bits();
    std::memcpy(to + index * sizeof bits, &bits, sizeof bits);
  }
}

void slab::renew_in_child(const std::byte* known_then) {
  platform::permit(run_, opened_bytes());
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::header known = header(index);
    std::uint64_t then = 0;
    if (known_then != nullptr && (index + 1) * sizeof then <= headers_bytes()) {
      std::memcpy(&then, known_then + index * sizeof then, sizeof then);
    }
    if (known.is_free() || then == known.bits()) continue;
    std::byte* const begin = place(index) - margin;
    std::byte* const secret = begin + margin + known.shift();
    wipe(begin, slot_size());
    slot_canary(key_, secret, known.tenant()).surround(begin, secret, size_of(known), begin + slot_size());
  }
}

bool slab::restore_key_in_child() const {
  return protection_key_ == platform::default_key ||
         platform::protect_by_key(run_, opened_bytes(), platform::access::read_write, protection_key_) == 0;
}

void slab::settle_in_child(contents found) {
  pages_.store(held_by::nobody, std::memory_order_relaxed);
  platform::permit(run_, opened_bytes());
  if (!hidden()) {
    const auto refusal = platform::lock_again(run_, locked_ != 0 ? locked_bytes() : opened_bytes());
    if (locked_ != 0 && refusal != 0) {
      locked_ = 0;
      opened_.set_lock_error(refusal);
    }
  }
  bool any_closed = false;
  const canary_key renewed = canary_key::make();
  free_count_ = 0;
  withheld_ = 0;
  unread_ = 0;
  unwritten_ = 0;
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::header known = header(index);
    std::byte* const begin = place(index) - margin;
    if (known.is_free() || known.current_state() == slot::state::entering) {
      // A thread of the parent may have been taking a tenant in or out.
      slots_[index].write(known.in(slot::state::free));
      wipe(begin, slot_size());
      put_free(index);
      continue;
    }
    // Where the system gave a copy, the zeros are ours to make.
    if (found == contents::lost && home.fork_error() != 0) wipe(begin, slot_size());
    any_closed |= known.access() != platform::access::read_write;
    const bool sound = found == contents::lost || !known.is_live() || intact(index, known);
    slots_[index].write(known.in(slot::state::live));
    std::byte* const secret = begin + margin + known.shift();
    // What was damaged stays so: under the new key its old canary is as wrong.
    if (sound) slot_canary(renewed, secret, known.tenant()).surround(begin, secret, size_of(known), begin + slot_size());
  }
  key_ = renewed;
  forbid_all_but_secrets();
  // Where a page cannot be closed again the receipts of its secrets say so.
  for (std::size_t page = 0; any_closed && page < opened_bytes() / platform::page_size(); ++page) (void)settle_page(page);
}

// With their contents, those of closed pages too, which would be without a lock here. At the limit on maps that can be refused: then
// what is open is overwritten, by the system, since a thread of the parent may have been changing which pages are.
void slab::lose_pages_in_child() const {
  if (fork_exclusion::reserve_over(run(), opened_bytes(), home.policy())) return;
  platform::overwrite({run(), opened_bytes()});
  (void)close_opened();
}

std::size_t slab::leave_absent() {
  pages_.store(held_by::nobody, std::memory_order_relaxed);
  platform::permit(run_, opened_bytes());
  std::size_t live = 0;
  free_count_ = 0;
  withheld_ = 0;
  unread_ = 0;
  unwritten_ = 0;
  bin_index = no_bin;
  fast_bin_index = no_bin;
  for (std::size_t index = 0; index < slot_count(); ++index) {
    const slot::header known = header(index);
    if (known.is_free()) continue;
    const bool held = known.current_state() != slot::state::entering;
    slots_[index].write(known.in(held ? slot::state::live : slot::state::free));
    live += held;
  }
  opened_.forget();
  locked_ = 0;
  absent_count = live;
  if (live == 0) {
    slot_count_.store(0, std::memory_order_release);
    owned_.store(0, std::memory_order_release);
  }
  return live;
}

bool slab::forget_closed_in_child(platform::fork_policy policy) {
  if (!opened_.empty()) {
    if (list != nullptr) (void)leave_list();
    platform::permit(run_, opened_bytes());
    // Under absent the address space is reserved again already.
    if (policy != platform::fork_policy::absent && hidden()) {
      fork_exclusion::reserve_again(run_, opened_bytes(), policy);
    } else if (policy != platform::fork_policy::absent && protect(platform::access::read_write) == 0) {
      wipe(run_, opened_bytes());
      (void)close_opened();
      platform::discard(run_, opened_bytes());
    }
    opened_.forget();
    locked_ = 0;
    pages_.store(held_by::nobody, std::memory_order_relaxed);
    if (absent_count == 0) {
      slot_count_.store(0, std::memory_order_release);
      owned_.store(0, std::memory_order_release);
    }
  }
  return absent_count != 0;
}

bool slab::vacate_absent(std::size_t index) {
  platform::forget_secret(secret(index));
  slots_[index].write(header(index).in(slot::state::free));
  if (--absent_count != 0) return false;
  slot_count_.store(0, std::memory_order_release);
  owned_.store(0, std::memory_order_release);
  return true;
}

}  // namespace lockfast::internal
