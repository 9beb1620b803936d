// span_list.cc - the quarantine's ring, the ready array and the chains of fresh and of spare spans.
#include "allocator/isolated/span_list.h"

#include <algorithm>

#include "allocator/isolated/idle_budget.h"

namespace lockfast::internal {

span* span_list::take_fresh() {
  const scoped_lock held(mutex_);
  span* const taken = fresh_;
  if (taken == nullptr) return nullptr;
  fresh_ = taken->next();
  taken->set(span::state::busy);
  return taken;
}

void span_list::put_fresh(span& retired) {
  const scoped_lock held(mutex_);
  retired.set_next(fresh_);
  fresh_ = &retired;
  retired.set(span::state::fresh);
}

void span_list::keep(span& idle) {
  const scoped_lock held(mutex_);
  idle.set_next(kept_);
  kept_ = &idle;
  idle.set(span::state::idle);
}

span* span_list::take_kept() {
  const scoped_lock held(mutex_);
  span* const taken = kept_;
  if (taken == nullptr) return nullptr;
  kept_ = taken->next();
  taken->set(span::state::busy);
  return taken;
}

void span_list::put_spare(span& surplus) {
  const scoped_lock held(mutex_);
  surplus.set_next(spare_);
  spare_ = &surplus;
  spare_count_ = spare_count_ + 1;
  surplus.set(span::state::idle);
}

span& span_list::leave_spares() {
  span& left = *spare_;
  spare_ = left.next();
  spare_count_ = spare_count_ - 1;
  min_spare_count_ = std::min<std::size_t>(min_spare_count_, spare_count_);
  idle_budget::give_back(left.home.place_pages());
  return left;
}

span* span_list::take_spare() {
  const scoped_lock held(mutex_);
  if (spare_ == nullptr) return nullptr;
  span& taken = leave_spares();
  taken.set(span::state::busy);
  return &taken;
}

std::size_t span_list::count_ahead() {
  const scoped_lock held(mutex_);
  if (openings_without_ahead_ != 0) {
    --openings_without_ahead_;
    return 0;
  }
  const std::uint64_t given = taken_ + grown_;
  const std::uint64_t used = given > frees_ ? given - frees_ : 0;
  return std::min(static_cast<std::size_t>(used / 8), max_ahead);
}

void span_list::pause_ahead() {
  const scoped_lock held(mutex_);
  openings_without_ahead_ = openings_after_refusal;
}

bool span_list::refill_ready() {
  const scoped_lock held(mutex_);
  while (spare_ != nullptr && ready_count_ < ready_limit_) ready_[ready_count_++] = &leave_spares();
  return ready_count_ != 0;
}

std::size_t span_list::surplus_of_an_age() {
  const scoped_lock held(mutex_);
  const std::size_t surplus = std::min((min_spare_count_ + 1) / 2, max_retired_of_an_age);
  min_spare_count_ = spare_count_;
  return surplus;
}

bool span_list::withdraw(span_region& vacant) {
  const scoped_lock held(mutex_);
  for (const span* at = vacant.begin(); at < vacant.end(); ++at) {
    if (at->current_state() != span::state::fresh) return false;
  }
  span* kept = nullptr;
  for (span* at = fresh_; at != nullptr;) {
    span* const next = at->next();
    if (&at->home != &vacant) {
      at->set_next(kept);
      kept = at;
    }
    at = next;
  }
  fresh_ = kept;
  return true;
}

span* span_list::take_any_idle(quarantine when) {
  const scoped_lock held(mutex_);
  span* taken = nullptr;
  if (ready_count_ > 0) {
    taken = ready_[--ready_count_];
  } else if (spare_ != nullptr) {
    taken = &leave_spares();
  } else if (quarantined_count_ > 0 && when == quarantine::yields) {
    taken = &leave_quarantine();
  }
  if (taken != nullptr) taken->set(span::state::busy);
  return taken;
}

void span_list::reset_in_child() {
  mutex_.reset_in_child();
  random_.reseed();
  quarantined_count_ = 0;
  oldest_ = 0;
  ready_count_ = 0;
  fresh_ = nullptr;
  kept_ = nullptr;
  spare_ = nullptr;
  spare_count_ = 0;
  min_spare_count_ = 0;
}

void span_list::count_grown() {
  const scoped_lock held(mutex_);
  ++grown_;
  note_used();
}

void span_list::count_freed() {
  const scoped_lock held(mutex_);
  frees_ = frees_ + 1;
}

}  // namespace lockfast::internal
