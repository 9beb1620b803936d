// span_list.cc - the quarantine's ring, the ready array and the chain of fresh spans.
#include "allocator/isolated/span_list.h"

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

span* span_list::take_any_idle() {
  const scoped_lock held(mutex_);
  span* taken = nullptr;
  if (ready_count_ > 0) {
    taken = ready_[--ready_count_];
  } else if (quarantined_count_ > 0) {
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
}

void span_list::count_grown() {
  const scoped_lock held(mutex_);
  ++grown_;
  note_used();
}

}  // namespace lockfast::internal
