// compartment.cc - the access of a compartment and its secrets.
#include "allocator/compartment/compartment.h"

#include <cerrno>

#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/base/wipes.h"
#include "allocator/compartment/grants.h"
#include "allocator/grouped/grouped_heap.h"
#include "platform/vectors.h"

namespace lockfast::internal {

using platform::access;

// A grant outlives its compartment where another thread destroyed that; the record's next one has another epoch.
bool compartment::is_stale(const grant& one) { return one.to == nullptr || one.epoch != one.to->epoch_; }

grant* compartment::find_grant(grant* table) const {
  for (std::size_t at = 0; table != nullptr && at < max_grants; ++at) {
    if (table[at].to == this && !is_stale(table[at])) return table + at;
  }
  return nullptr;
}

grant* compartment::find_unused(grant* table) {
  for (std::size_t at = 0; table != nullptr && at < max_grants; ++at) {
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
  const auto wanted = family().chosen().lock_required ? page_run::lock_wanted::always : page_run::lock_wanted::if_possible;
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
  const scoped_lock held(mutex_);
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
  for (std::size_t at = 0; table != nullptr && at < max_grants; ++at) {
    if (is_stale(table[at])) continue;
    compartment* const open = table[at].to;
    if (open->protect(access::none) != 0) end_process(breach::access_refused, open->family().chosen().signal);
  }
  give_up_grants();
}

// ---- Life -------------------------------------------------------------------------------------------------------------------

void compartment::start(grouped_heap& family) {
  family_ = &family;
  if (!key_asked_) key_ = platform::take_key();
  key_asked_ = true;
  for (std::size_t index = 0; index < list_count; ++index) {
    lists_[index].start({.space = &family.space(),
                         .capacity = index < size_class::count ? size_class::capacity(index) : 0,
                         .alignment = slab::alignment,
                         .class_index = static_cast<std::uint8_t>(index),
                         .family = family.family(),
                         .signal = family.chosen().signal,
                         .within = this,
                         .lock_required = family.chosen().lock_required,
                         .hide_error = family.chosen().hide_error,
                         .protection_key = keyed() ? key_ : platform::default_key,
                         .forget_closed = [](compartment& within) { within.forget_closed(); }});
  }
}

void compartment::destroy() {
  {
    const scoped_lock held(mutex_);
    {
      const writable opened(*this);
      end_rest();
      for (slab_bin& list : lists_) family().count_frees(list.clear());
      family().forget_absent(*this);
    }
    effective_ = access::none;
    readers_ = 0;
    writers_ = 0;
    exists_ = false;
    epoch_ = epoch_ + 1;
  }
  if (keyed()) platform::set_key_access(key_, access::none);
  give_back_record();
}

// ---- Secrets ----------------------------------------------------------------------------------------------------------------

bool compartment::take_slot(slot_ref& out, std::size_t size, slab_bin::growth allowed, platform::error& refusal) {
  if (size > size_class::max_capacity) return lists_[size_class::count].take_single(out, size, allowed, refusal);
  slab_bin& list = lists_[size_class::of(size)];
  if (list.take(&out, 1, allowed, refusal) == 1) return true;
  if (!is_shortage(refusal) || family().chosen().quarantine_holds || !end_rest()) return false;
  platform::error nothing_rested = 0;
  return list.take(&out, 1, slab_bin::growth::none, nothing_rested) == 1;
}

allocated compartment::allocate(std::size_t size, int value, slab_bin::growth allowed) {
  const scoped_lock held(mutex_);
  const writable opened(*this);
  platform::error refusal = 0;
  slot_ref got = {};
  if (!take_slot(got, size, allowed, refusal)) return {nullptr, refusal};
  return {got.in->occupy(got.index, size, 0, value), 0};
}

void compartment::deallocate(slot_ref freed) {
  const scoped_lock held(mutex_);
  const writable opened(*this);
  freed.in->vacate(freed.index);
  if (freed.in->class_index == size_class::count) {
    lists_[size_class::count].put(&freed, 1);
    (void)lists_[size_class::count].trim();
  } else {
    rest(freed);
  }
}

void compartment::end_oldest_rest() {
  const slot_ref rested = resting_[oldest_resting_];
  oldest_resting_ = (oldest_resting_ + 1) % max_resting;
  --resting_count_;
  resting_bytes_ -= rested.in->capacity();
  lists_[rested.in->class_index].put(&rested, 1);
}

void compartment::rest(slot_ref freed) {
  const std::size_t size = freed.in->capacity();
  while (resting_count_ == max_resting || (resting_count_ != 0 && resting_bytes_ + size > max_resting_bytes)) {
    end_oldest_rest();
  }
  resting_[(oldest_resting_ + resting_count_++) % max_resting] = freed;
  resting_bytes_ += size;
}

void compartment::forget_closed() {
  const std::uint32_t count = resting_count_;
  const std::uint32_t oldest = oldest_resting_;
  resting_count_ = 0;
  resting_bytes_ = 0;
  for (std::uint32_t at = 0; at < count; ++at) {
    const slot_ref kept = resting_[(oldest + at) % max_resting];
    if (kept.in->absent_count != 0) continue;
    resting_[(oldest + resting_count_++) % max_resting] = kept;
    resting_bytes_ += kept.in->capacity();
  }
}

bool compartment::end_rest() {
  const bool any = resting_count_ != 0;
  while (resting_count_ != 0) end_oldest_rest();
  return any;
}

allocated compartment::reallocate(slot_ref resized, std::size_t size, slab_bin::growth allowed) {
  slab& in = *resized.in;
  std::byte* const before = in.secret(resized.index);
  const std::size_t size_before = in.size(resized.index);
  const auto resize_here = [&]() -> allocated {
    return while_writable([&]() -> allocated {
      if (!in.intact(resized.index)) end_process(breach::broken_canary, in.signal);
      in.resize(resized.index, size);
      return {before, 0};
    });
  };
  const bool large = in.class_index == size_class::count;
  if (!large && size <= size_class::max_capacity && size_class::of(size) == in.class_index) return resize_here();
  const wipes::look before_copy;
  const allocated moved = allocate(size, 0, allowed);
  if (moved.address == nullptr) return size <= size_before && in.can_be_cut_to(resized.index, size) ? resize_here() : moved;
  while_writable([&] {
    if (!in.intact(resized.index)) end_process(breach::broken_canary, in.signal);
    platform::copy(moved.address, before, size < size_before ? size : size_before);
    if (before_copy.wiped()) wipe(moved.address, size);
    return 0;
  });
  deallocate(resized);
  family().count_frees(1);
  return moved;
}

}  // namespace lockfast::internal
