// slab_bin.cc - slots taken and put back, slabs taken and retired.
#include "allocator/grouped/slab_bin.h"

#include <cerrno>

#include "allocator/base/family.h"
#include "allocator/pages/lock_watch.h"
#include "platform/access_checker.h"

namespace lockfast::internal {

// At the end: slabs that have been in use longer are used up first.
void slab_bin::link(slab& one) {
  one.previous = last_;
  one.next = nullptr;
  (last_ == nullptr ? first_ : last_->next) = &one;
  last_ = &one;
}

void slab_bin::unlink(slab& one) {
  (one.previous == nullptr ? first_ : one.previous->next) = one.next;
  (one.next == nullptr ? last_ : one.next->previous) = one.previous;
}

void slab_bin::enlist(slab& one) {
  one.next_of_list = all_;
  all_ = &one;
}

page_run::opening slab_bin::opening_of(growth allowed) const {
  using enum page_run::lock_wanted;
  return {allowed == growth::locked ? always : if_possible, settings_.hide_error, settings_.protection_key};
}

platform::error slab_bin::open_new(const page_run::opening& how, std::size_t capacity) {
  slab* const fresh = settings_.space->take(capacity, settings_.alignment, *this);
  if (fresh == nullptr) return ENOMEM;
  fresh->class_index = settings_.class_index;
  fresh->family = settings_.family;
  fresh->signal = settings_.signal;
  fresh->within = settings_.within;
  const std::uint8_t bin = settings_.within == nullptr ? slab::bin_of(settings_.family, settings_.class_index) : slab::no_bin;
  fresh->bin_index = bin;
  fresh->fast_bin_index = capacity <= slab::max_fast && !platform::has_access_checker() ? bin : slab::no_bin;
  if (const auto refusal = fresh->open_more(how); refusal != 0) {
    settings_.space->put(*fresh);
    return refusal;
  }
  enlist(*fresh);
  link(*fresh);
  growing_ = fresh;
  return 0;
}

void slab_bin::count_taken(std::size_t slots) {
  const std::size_t taken = taken_.fetch_add(slots, std::memory_order_relaxed) + slots;
  std::size_t most = max_taken_.load(std::memory_order_relaxed);
  while (taken > most && !max_taken_.compare_exchange_weak(most, taken, std::memory_order_relaxed)) {
  }
}

platform::error slab_bin::grow(growth allowed) {
  lock_watch::look();
  const page_run::opening how = opening_of(allowed);
  if (growing_ != nullptr) {
    const auto refusal = growing_->open_more(how);
    if (refusal == 0) link(*growing_);
    // A slab that has pages without a lock opens none with one; the next slab may.
    if (refusal == 0 || (refusal != ENOSPC && growing_->lock_refusal() == 0)) return refusal;
  }
  return open_new(how, settings_.capacity);
}

bool slab_bin::take_single(slot_ref& out, std::size_t size, growth allowed, platform::error& refusal) {
  const scoped_lock held(mutex_);
  drop_closed();
  refusal = open_new(opening_of(allowed), size);
  if (refusal != 0) return false;
  slab& made = *last_;
  out = {&made, made.take_free(0)};
  unlink(made);
  count_taken(1);
  return true;
}

std::size_t slab_bin::take(slot_ref* out, std::size_t most, growth allowed, platform::error& refusal) {
  const scoped_lock held(mutex_);
  drop_closed();
  if (first_ == nullptr) end_withholding();
  if (first_ == nullptr) {
    refusal = allowed == growth::none ? ENOMEM : grow(allowed);
    if (refusal != 0) return 0;
  }
  std::size_t taken = 0;
  while (taken < most && first_ != nullptr) {
    slab& from = *first_;
    for (; taken < most && from.free_count() != 0; ++taken)
      out[taken] = {&from, from.take_free(random_.below(from.free_count()))};
    if (from.free_count() == 0) unlink(from);
  }
  count_taken(taken);
  return taken;
}

void slab_bin::end_withholding() {
  for (slab* one = all_; one != nullptr && first_ == nullptr; one = one->next_of_list) {
    if (one->withheld_count() != 0 && serves(*one) && one->end_withholding()) link(*one);
  }
}

platform::error slab_bin::protect(slot_ref closed, platform::access to) {
  const scoped_lock held(mutex_);
  drop_closed();
  slab& in = *closed.in;
  if (in.absent_count != 0) return ENOMEM;
  const bool linked = in.free_count() != 0;
  const auto refusal = in.set_access(closed.index, to);
  const bool to_link = in.free_count() != 0;
  if (linked != to_link && serves(in)) to_link ? link(in) : unlink(in);
  return refusal;
}

void slab_bin::put(const slot_ref* freed, std::size_t count) {
  count_put(count);
  const scoped_lock held(mutex_);
  drop_closed();
  for (std::size_t at = 0; at < count; ++at) {
    slab& to = *freed[at].in;
    if (to.list != this) continue;  // a crash has left the slab closed
    const bool linked = to.free_count() != 0;
    to.put_free(freed[at].index);
    if (!serves(to)) {
      if (to.all_free() && to.retire()) give_up(to);
      continue;
    }
    if (linked && !to.all_free()) continue;
    if (linked) unlink(to);
    link(to);
  }
}

void slab_bin::give_up(slab& empty) {
  for (slab** link = &all_; *link != nullptr; link = &(*link)->next_of_list) {
    if (*link != &empty) continue;
    *link = empty.next_of_list;
    break;
  }
  if (growing_ == &empty) growing_ = nullptr;
  settings_.space->put(empty);
}

void slab_bin::drop_closed_slowly() {
  closings_seen_ = slab::closings();
  if (settings_.within != nullptr) settings_.forget_closed(*settings_.within);
  first_ = nullptr;
  last_ = nullptr;
  slab* kept = nullptr;
  for (slab *one = all_, *next = nullptr; one != nullptr; one = next) {
    next = one->next_of_list;
    if (one->absent_count == 0) {
      one->next_of_list = kept;
      kept = one;
      if (one->free_count() != 0 && serves(*one)) link(*one);
      continue;
    }
    if (growing_ == one) growing_ = nullptr;
    if (one->leave_list() && one->retire_closed()) settings_.space->put(*one);
  }
  all_ = kept;
}

bool slab_bin::has_empty() {
  const scoped_lock held(mutex_);
  drop_closed();
  for (const slab* one = all_; one != nullptr; one = one->next_of_list) {
    if (one->all_free()) return true;
  }
  return false;
}

std::size_t slab_bin::trim() {
  const scoped_lock held(mutex_);
  drop_closed();
  std::size_t bytes = 0;
  // Those that serve no more as well: the system may take their pages back by now.
  for (slab* one = all_; one != nullptr;) {
    slab& empty = *one;
    one = one->next_of_list;
    if (!empty.all_free()) continue;
    const bool linked = serves(empty);
    const std::size_t opened = empty.opened_bytes();
    if (empty.retire()) {
      bytes += opened;
      if (linked) unlink(empty);
      give_up(empty);
    } else if (linked && !serves(empty)) {
      // Unlocked, and then neither closed nor locked again.
      withdraw(empty);
    }
  }
  return bytes;
}

void slab_bin::withdraw(slab& unserving) {
  if (unserving.free_count() != 0) unlink(unserving);
  unserving.bin_index = slab::no_bin;
  unserving.fast_bin_index = slab::no_bin;
  if (growing_ == &unserving) growing_ = nullptr;
}

void slab_bin::renew_locks() {
  const scoped_lock held(mutex_);
  for (slab* one = all_; one != nullptr;) {
    slab& renewed = *one;
    one = one->next_of_list;
    const bool served = serves(renewed);
    renewed.renew_lock();
    if (!served || serves(renewed)) continue;
    withdraw(renewed);
    if (renewed.all_free() && renewed.retire()) give_up(renewed);
  }
}

std::size_t slab_bin::clear() {
  const scoped_lock held(mutex_);
  drop_closed();
  std::size_t evicted = 0;
  while (all_ != nullptr) {
    slab& one = *all_;
    count_put(one.slot_count() - one.free_count() - one.withheld_count());
    for (std::size_t index = 0; index < one.slot_count(); ++index) {
      if (one.header(index).is_free()) continue;
      one.vacate(index);
      ++evicted;
    }
    if (one.retire()) {
      give_up(one);
    } else {
      all_ = one.next_of_list;
      one.list = nullptr;
      one.within = nullptr;
    }
  }
  first_ = nullptr;
  last_ = nullptr;
  growing_ = nullptr;
  return evicted;
}

void slab_bin::reset_in_child() {
  mutex_.reset_in_child();
  closings_seen_ = slab::closings();
  random_.reseed();
  first_ = nullptr;
  last_ = nullptr;
  all_ = nullptr;
  growing_ = nullptr;
}

void slab_bin::occupy_in_child(slab& settled) {
  enlist(settled);
  if (!serves(settled)) {
    settled.bin_index = slab::no_bin;
    settled.fast_bin_index = slab::no_bin;
    return;
  }
  if (settled.free_count() != 0) link(settled);
  // Whichever has pages left; one that has none says so when it is asked.
  growing_ = &settled;
}

}  // namespace lockfast::internal
