// compartments.cc - all compartments of the process: their records and handles; what is asked of every one; the fork.
#include <algorithm>
#include <new>

#include "allocator/base/breach.h"
#include "allocator/compartment/compartment.h"
#include "allocator/compartment/grants.h"
#include "allocator/grouped/grouped_heap.h"
#include "allocator/base/metadata.h"

namespace lockfast::internal {

using platform::access;

constinit platform::mutex compartment::registry_;
constinit std::atomic<compartment*> compartment::all_ = nullptr;
constinit compartment::unused_queue compartment::unused_[2];
constinit std::uint32_t compartment::record_count_ = 0;
constinit std::atomic<compartment::numbered*> compartment::table_[table_count];

// ---- Records and handles ----------------------------------------------------------------------------------------------------

void compartment::unused_queue::put(compartment& one) {
  one.next_unused_ = nullptr;
  (last == nullptr ? first : last->next_unused_) = &one;
  last = &one;
}

compartment* compartment::unused_queue::take() {
  compartment* const taken = first;
  if (taken == nullptr) return nullptr;
  first = taken->next_unused_;
  if (first == nullptr) last = nullptr;
  return taken;
}

// Requires registry_.
compartment* compartment::make_record() {
  const std::uint32_t number = record_count_;
  if (number == max_records) return nullptr;
  auto& part = table_[number / table_part];
  numbered* found = part.load(std::memory_order_relaxed);
  if (found == nullptr) found = metadata::take_array<numbered>(table_part);
  if (found == nullptr) return nullptr;
  part.store(found, std::memory_order_release);
  std::byte* const record = metadata::take(sizeof(compartment));
  if (record == nullptr) return nullptr;
  auto* const made = new (record) compartment;
  made->number_ = number;
  made->next_ = all_.load(std::memory_order_relaxed);
  found[number % table_part].store(made, std::memory_order_release);
  all_.store(made, std::memory_order_release);
  ++record_count_;
  return made;
}

// A key is taken once and kept, so those that have one are used first.
compartment* compartment::take_record() {
  const scoped_lock held(registry_);
  for (unused_queue& each : unused_) {
    if (compartment* const found = each.take(); found != nullptr) return found;
  }
  return make_record();
}

void compartment::give_back_record() {
  const scoped_lock held(registry_);
  unused_[keyed() ? 0 : 1].put(*this);
}

std::uintptr_t compartment::handle() const { return (std::uintptr_t{epoch_} << number_bits) + number_ + 1; }

compartment* compartment::of_handle(std::uintptr_t handle) {
  const std::uintptr_t number = (handle & ((std::uintptr_t{1} << number_bits) - 1)) - 1;
  if (number >= max_records) return nullptr;
  const numbered* const part = table_[number / table_part].load(std::memory_order_acquire);
  compartment* const found = part == nullptr ? nullptr : part[number % table_part].load(std::memory_order_acquire);
  return found != nullptr && found->exists() && found->handle() == handle ? found : nullptr;
}

compartment* compartment::create(grouped_heap& family) {
  compartment* const made = take_record();
  if (made == nullptr) return nullptr;
  {
    const scoped_lock held(made->mutex_);
    made->start(family);
    made->exists_ = true;
  }
  if (made->protect(access::read_write) == 0) return made;
  made->destroy();
  return nullptr;
}

// ---- What is asked of every one ---------------------------------------------------------------------------------------------

std::size_t compartment::audit() {
  std::size_t damaged = 0;
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (!one->exists()) continue;
    damaged += one->while_writable([&] {
      std::size_t found = 0;
      one->for_each_slab([&](const slab& each) { found += each.damaged_count(); });
      return found;
    });
  }
  return damaged;
}

bool compartment::may_give_back(bool ends_rest) {
  const scoped_lock held(mutex_);
  if (ends_rest && resting_count_ != 0) return true;
  return std::ranges::any_of(lists_, [](slab_bin& list) { return list.has_empty(); });
}

std::size_t compartment::trim(trimming why) {
  std::size_t bytes = 0;
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (!one->exists()) continue;
    const bool ends_rest = why == trimming::asked || !one->family().chosen().quarantine_holds;
    // Another thread's that is closed is not opened for nothing.
    if (!one->may_give_back(ends_rest)) continue;
    bytes += one->while_writable([&] {
      std::size_t given = 0;
      if (ends_rest) one->end_rest();
      for (slab_bin& list : one->lists_) given += list.trim();
      return given;
    });
  }
  return bytes;
}

void compartment::renew_locks() {
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (!one->exists()) continue;
    one->while_writable([&] {
      one->end_rest();
      for (slab_bin& list : one->lists_) list.renew_locks();
      return 0;
    });
  }
}

namespace {

// Of a yield each: longer than any call on a compartment takes.
constexpr int max_yields = 1000;

}  // namespace

bool compartment::take_exclusion_soon() {
  for (int waits = 0; waits < max_yields; ++waits) {
    if (mutex_.try_lock()) return true;
    platform::yield();
  }
  return false;
}

bool compartment::wipe_on_signal(slab& within) {
  if (keyed()) {
    const access before = current_access();
    platform::set_key_access(key_, access::read_write);
    const bool is_wiped = within.wipe_on_signal();
    platform::set_key_access(key_, before);
    return is_wiped;
  }
  const bool is_exclusive = take_exclusion_soon();
  bool is_wiped = true;
  if (within.protect(access::read_write) != 0) {
    is_wiped = within.wipe_closed_on_signal();
  } else if (is_exclusive) {
    is_wiped = within.wipe_on_signal();
    // While the process has one thread a call takes no mutex: what it opened stays open for it.
    if (calls_ == 0) (void)within.protect(effective_);
  } else {
    // Whoever is in a call on it, this thread or another, may close it at any moment; nobody is to find it closed.
    within.overwrite_on_signal();
  }
  wipes_on_signal_ = wipes_on_signal_ + 1;
  if (is_exclusive) mutex_.unlock();
  return is_wiped;
}

void compartment::for_each_slab_of(const grouped_heap& family, void (*act)(slab&, void*), void* with) {
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (!one->exists() || &one->family() != &family) continue;
    one->while_writable([&] {
      one->for_each_slab([&](slab& each) { act(each, with); });
      return 0;
    });
  }
}

void compartment::before_fork() { lock_over_fork(registry_); }

void compartment::after_fork_in_parent() { unlock_after_fork(registry_); }

void compartment::reset_in_child() {
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    one->mutex_.reset_in_child();
    one->resting_count_ = 0;
    one->calls_ = 0;
    for (slab_bin& list : one->lists_) list.reset_in_child();
    if (one->keyed()) {
      one->effective_ = platform::key_access(one->key_);
      platform::set_key_access(one->key_, access::read_write);
    }
  }
}

void compartment::settle_in_child() {
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (one->keyed()) {
      platform::set_key_access(one->key_, one->effective_);
      continue;
    }
    // Of the parent's threads only this one is here.
    const grant* const mine = one->find_grant(known_grants());
    one->readers_ = 0;
    one->writers_ = 0;
    if (mine != nullptr) one->count(mine->access, 1);
    one->effective_ = one->widest();
    if (one->exists() && one->apply(one->effective_) != 0) end_process(breach::access_refused, one->family().chosen().signal);
  }
}

}  // namespace lockfast::internal
