// compartment.cc - the access of a compartment and its secrets.
#include "allocator/compartment.h"

#include <cerrno>
#include <cstring>
#include <new>

#include "allocator/breach.h"
#include "allocator/bytes.h"
#include "allocator/grants.h"
#include "allocator/grouped.h"
#include "allocator/metadata.h"

namespace lockfast::internal {

using platform::access;

constinit platform::mutex compartment::registry_;
constinit std::atomic<compartment*> compartment::all_ = nullptr;
constinit compartment* compartment::unused_ = nullptr;

// A grant outlives its compartment where another thread destroyed that; the record's next one has another epoch.
bool compartment::is_stale(const grant& one) { return one.to == nullptr || one.epoch != one.to->epoch_; }

grant* compartment::find_grant(grant* table) const {
  for (std::size_t at = 0; table != nullptr && at < most_grants; ++at) {
    if (table[at].to == this && !is_stale(table[at])) return table + at;
  }
  return nullptr;
}

grant* compartment::find_unused(grant* table) {
  for (std::size_t at = 0; table != nullptr && at < most_grants; ++at) {
    if (is_stale(table[at])) return table + at;
  }
  return nullptr;
}

// ---- Access -----------------------------------------------------------------------------------------------------------------

compartment::writable::writable(compartment& opened) : opened_(opened), before_(opened.current_access()) {
  opened.calls_ = opened.calls_ + 1;
  if (opened.keyed()) {
    platform::set_key_access(opened.key_, access::read_write);
  } else if (before_ != access::read_write && opened.apply(access::read_write) != 0) {
    end_process(breach::access_refused, opened.family().chosen().signal);
  }
}

compartment::writable::~writable() {
  if (opened_.keyed()) {
    platform::set_key_access(opened_.key_, before_);
  } else if (before_ != access::read_write && opened_.apply(before_) != 0) {
    end_process(breach::access_refused, opened_.family().chosen().signal);
  }
  opened_.calls_ = opened_.calls_ - 1;
}

access compartment::current_access() const {
  if (keyed()) return platform::key_access(key_);
  return effective_;
}

platform::error compartment::apply(access to) {
  platform::error refusal = 0;
  std::uint32_t wiped = 0;
  do {
    wiped = wipes_on_signal_;
    for_each_slab([&](slab& one) {
      if (refusal == 0) refusal = one.protect(to);
    });
    // A handler that wiped meanwhile may have left a slab as it was, or open.
  } while (refusal == 0 && wiped != wipes_on_signal_);
  return refusal;
}

platform::error compartment::lock_after_closing() {
  if (platform::closed_lock_error() == 0) return 0;
  const auto wanted = family().chosen().lock_required ? slab::opening::lock::always : slab::opening::lock::if_possible;
  platform::error refusal = 0;
  for_each_slab([&](slab& one) {
    if (refusal == 0) refusal = one.lock_after_closing(wanted);
  });
  return refusal;
}

access compartment::widest() const {
  if (writers_ != 0) return access::read_write;
  return readers_ != 0 ? access::read : access::none;
}

void compartment::count(access granted, std::ptrdiff_t change) {
  if (granted == access::read) readers_ += static_cast<std::size_t>(change);
  if (granted == access::read_write) writers_ += static_cast<std::size_t>(change);
}

platform::error compartment::protect(access to) {
  const scoped_lock held(exclusion_);
  if (keyed()) {
    platform::set_key_access(key_, to);
    return 0;
  }
  grant* const table = grants_of_thread();
  grant* held_grant = find_grant(table);
  const access before = held_grant != nullptr ? held_grant->access : access::none;
  if (before == access::none && to == access::none) return 0;
  if (held_grant == nullptr) held_grant = find_unused(table);
  if (held_grant == nullptr) return EAGAIN;
  count(before, -1);
  count(to, 1);
  const access wanted = widest();
  if (wanted != effective_) {
    auto refusal = apply(wanted);
    if (refusal == 0 && effective_ == access::none) refusal = lock_after_closing();
    if (refusal != 0) {
      count(to, -1);
      count(before, 1);
      if (apply(effective_) != 0) end_process(breach::access_refused, family().chosen().signal);
      return refusal;
    }
    effective_ = wanted;
  }
  *held_grant = {to == access::none ? nullptr : this, epoch_, to};
  return 0;
}

void compartment::close_at_exit() {
  grant* const table = known_grants();
  for (std::size_t at = 0; table != nullptr && at < most_grants; ++at) {
    if (is_stale(table[at])) continue;
    compartment* const open = table[at].to;
    if (open->protect(access::none) != 0) end_process(breach::access_refused, open->family().chosen().signal);
  }
  give_up_grants();
}

// ---- Life -------------------------------------------------------------------------------------------------------------------

void compartment::start(grouped& family) {
  family_ = &family;
  if (!key_asked_) key_ = platform::take_key();
  key_asked_ = true;
  for (std::size_t index = 0; index < list_count; ++index) {
    lists_[index].start({.space = &family.space(),
                         .capacity = index < size_class::count ? size_class::capacity(index) : 0,
                         .class_index = static_cast<std::uint8_t>(index),
                         .family = family.family(),
                         .signal = family.chosen().signal,
                         .within = this,
                         .lock_required = family.chosen().lock_required,
                         .hide_error = family.chosen().hide_error,
                         .protection_key = keyed() ? key_ : platform::default_key});
  }
}

compartment* compartment::create(grouped& family, platform::error& refusal) {
  compartment* made = nullptr;
  {
    const scoped_lock held(registry_);
    if (unused_ != nullptr) {
      made = unused_;
      unused_ = made->next_unused_;
    } else if (std::byte* const record = metadata::take(sizeof(compartment)); record != nullptr) {
      made = new (record) compartment;
      made->next_ = all_.load(std::memory_order_relaxed);
      all_.store(made, std::memory_order_release);
    }
  }
  refusal = ENOMEM;
  if (made == nullptr) return nullptr;
  {
    const scoped_lock held(made->exclusion_);
    made->start(family);
    made->exists_ = true;
  }
  refusal = made->protect(access::read_write);
  if (refusal == 0) return made;
  made->destroy();
  return nullptr;
}

void compartment::destroy() {
  {
    const scoped_lock held(exclusion_);
    {
      const writable opened(*this);
      for (slab_list& list : lists_) family().count_frees(list.clear());
      family().forget_absent(*this);
    }
    effective_ = access::none;
    readers_ = 0;
    writers_ = 0;
    exists_ = false;
    epoch_ = epoch_ + 1;
  }
  if (keyed()) platform::set_key_access(key_, access::none);
  const scoped_lock held(registry_);
  next_unused_ = unused_;
  unused_ = this;
}

// ---- Secrets ----------------------------------------------------------------------------------------------------------------

allocated compartment::allocate(std::size_t size, int value, slab_list::growth allowed) {
  const scoped_lock held(exclusion_);
  const writable opened(*this);
  platform::error refusal = 0;
  slot_ref got = {};
  const bool large = size > size_class::most_capacity;
  const bool taken = large ? lists_[size_class::count].take_single(got, size, allowed, refusal)
                           : lists_[size_class::of(size)].take(&got, 1, allowed, refusal) == 1;
  if (!taken) return {nullptr, refusal};
  return {got.in->admit(got.index, size, 0, value), 0};
}

void compartment::deallocate(slot_ref freed) {
  const scoped_lock held(exclusion_);
  const writable opened(*this);
  freed.in->evict(freed.index);
  slab_list* const list = freed.in->list;
  list->put(&freed, 1);
  if (freed.in->class_index == size_class::count) (void)list->trim();
}

allocated compartment::reallocate(slot_ref resized, std::size_t size, slab_list::growth allowed) {
  slab& in = *resized.in;
  std::byte* const before = in.secret(resized.index);
  const std::size_t size_before = in.size(resized.index);
  const auto resize_here = [&]() -> allocated {
    return while_writable([&]() -> allocated {
      if (!in.whole(resized.index)) end_process(breach::broken_canary, in.signal);
      in.resize(resized.index, size);
      return {before, 0};
    });
  };
  const bool large = in.class_index == size_class::count;
  if (!large && size <= size_class::most_capacity && size_class::of(size) == in.class_index) return resize_here();
  const allocated moved = allocate(size, fresh_byte, allowed);
  if (moved.address == nullptr) return size <= size_before && in.can_be_cut_to(resized.index, size) ? resize_here() : moved;
  while_writable([&] {
    if (!in.whole(resized.index)) end_process(breach::broken_canary, in.signal);
    std::memcpy(moved.address, before, size < size_before ? size : size_before);
    return 0;
  });
  deallocate(resized);
  family().count_frees(1);
  return moved;
}

// ---- Of all compartments ----------------------------------------------------------------------------------------------------

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

std::size_t compartment::trim() {
  std::size_t bytes = 0;
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (!one->exists()) continue;
    bytes += one->while_writable([&] {
      std::size_t given = 0;
      for (slab_list& list : one->lists_) given += list.trim();
      return given;
    });
  }
  return bytes;
}

namespace {

// Of a yield each: longer than any call on a compartment takes.
constexpr int most_waits = 1000;

}  // namespace

bool compartment::take_exclusion_soon() {
  for (int waits = 0; waits < most_waits; ++waits) {
    if (exclusion_.try_lock()) return true;
    platform::yield();
  }
  return false;
}

void compartment::wipe_on_signal(slab& within) {
  if (keyed()) {
    const access before = current_access();
    platform::set_key_access(key_, access::read_write);
    within.wipe_on_signal();
    platform::set_key_access(key_, before);
  } else if (take_exclusion_soon()) {
    if (within.protect(access::read_write) == 0) within.wipe_on_signal();
    // While the process has one thread a call takes no mutex: what it opened stays open for it.
    if (calls_ == 0) (void)within.protect(effective_);
    wipes_on_signal_ = wipes_on_signal_ + 1;
    exclusion_.unlock();
  } else if (within.protect(access::read_write) == 0) {
    // Whoever is in a call on it, this thread or another, may close it at any moment; nobody is to find it closed.
    within.overwrite_on_signal();
    wipes_on_signal_ = wipes_on_signal_ + 1;
  }
}

void compartment::for_each_slab_of(const grouped& family, void (*act)(slab&, void*), void* with) {
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    if (!one->exists() || &one->family() != &family) continue;
    one->while_writable([&] {
      one->for_each_slab([&](slab& each) { act(each, with); });
      return 0;
    });
  }
}

void compartment::before_fork() { registry_.lock(); }

void compartment::after_fork_in_parent() { registry_.unlock(); }

void compartment::reset_in_child() {
  for (compartment* one = all_.load(std::memory_order_acquire); one != nullptr; one = one->next_) {
    one->exclusion_.reset_in_child();
    for (slab_list& list : one->lists_) list.reset_in_child();
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
