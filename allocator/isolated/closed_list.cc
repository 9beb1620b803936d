// closed_list.cc - the walk, and whose turn it is.
#include "allocator/isolated/closed_list.h"

#include <algorithm>

#include "allocator/base/metadata.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/isolated/span_region.h"

namespace lockfast::internal {

void closed_list::enlist(span& opened) {
  const scoped_lock held(mutex_);
  if (opened.listed()) return;
  if (first_ == nullptr || first_->count == block_spans) {
    auto* const made = metadata::take_array<block>(1);
    // Without memory for it the span keeps its pages until it is freed.
    if (made == nullptr) return;
    made->next = first_;
    first_ = made;
  }
  first_->spans[first_->count++] = &opened;
  opened.set_listed(true);
}

bool closed_list::eligible(const span& one, std::size_t run_size) {
  return one.has_tenant() && one.current_access() == platform::access::none && one.run() != nullptr && one.lock_error() == 0 &&
         (run_size == any_size || one.run_size() == run_size);
}

// Finds those that were closed first, and takes out of the list what has no pages any more.
void closed_list::walk(std::size_t run_size) {
  // The span that this call is busy with itself is not waited for.
  const void* const own = platform::of_thread(busy_with);
  candidate_count_ = 0;
  candidate_size_ = run_size;
  some_were_busy_ = false;
  // A heap while it is filled: the one that was closed last is at the front, and leaves for one that was closed before it.
  const auto closed_before = [](const candidate& one, const candidate& other) { return one.tick < other.tick; };
  const auto consider = [&](candidate found) {
    if (candidate_count_ == max_candidates) {
      if (found.tick >= candidates_[0].tick) return;
      std::pop_heap(candidates_, candidates_ + candidate_count_--, closed_before);
    }
    candidates_[candidate_count_++] = found;
    std::push_heap(candidates_, candidates_ + candidate_count_, closed_before);
  };
  block** link = &first_;
  while (*link != nullptr) {
    block& one = **link;
    for (std::size_t at = 0; at < one.count;) {
      span& each = *one.spans[at];
      if (each.run() == nullptr) {
        each.set_listed(false);
        one.spans[at] = one.spans[--one.count];
        continue;
      }
      const span::state seen = each.current_state();
      some_were_busy_ |= seen == span::state::busy && &each != own;
      if (seen == span::state::live && eligible(each, run_size)) consider({&each, each.sealed() ? 0 : each.closed_at()});
      ++at;
    }
    // A block with room serves the next to be listed.
    if (&one != first_ && one.count < block_spans && first_->count == block_spans) {
      *link = one.next;
      one.next = first_;
      first_ = &one;
      continue;
    }
    link = &one.next;
  }
  std::sort_heap(candidates_, candidates_ + candidate_count_, closed_before);
  std::reverse(candidates_, candidates_ + candidate_count_);
}

span* closed_list::take(std::size_t run_size) {
  // Those that somebody is busy with now may be closed in a moment.
  constexpr int max_waits = 100;
  for (int waits = 0;; ++waits) {
    {
      const scoped_lock held(mutex_);
      if (span* const found = take_candidate(run_size); found != nullptr) return found;
      const std::uintptr_t now = span::closing_clock();
      if (fruitless_at_ == now && fruitless_size_ == run_size) return nullptr;
      walk(run_size);
      if (span* const found = take_candidate(run_size); found != nullptr) return found;
      if (!some_were_busy_) {
        fruitless_at_ = now;
        fruitless_size_ = run_size;
        return nullptr;
      }
    }
    if (waits == max_waits) return nullptr;
    platform::yield();
  }
}

span* closed_list::take_candidate(std::size_t run_size) {
  while (candidate_count_ != 0 && candidate_size_ == run_size) {
    const candidate next = candidates_[--candidate_count_];
    if (!next.at->claim_live_at_once()) {
      some_were_busy_ = true;
      continue;
    }
    const bool same = eligible(*next.at, run_size) && (next.at->sealed() || next.at->closed_at() == next.tick);
    if (same) return next.at;
    next.at->set(span::state::live);
  }
  return nullptr;
}

span* closed_list::take_unlocked() {
  const scoped_lock held(mutex_);
  const auto is_one = [](const span& one) {
    return one.has_tenant() && !one.sealed() && one.current_access() == platform::access::none && one.run() != nullptr &&
           one.lock_error() != 0;
  };
  for (block* one = first_; one != nullptr; one = one->next) {
    for (std::size_t at = 0; at < one->count; ++at) {
      span& each = *one->spans[at];
      if (each.current_state() != span::state::live || !is_one(each) || !each.claim_live_at_once()) continue;
      if (is_one(each)) return &each;
      each.set(span::state::live);
    }
  }
  return nullptr;
}

}  // namespace lockfast::internal
