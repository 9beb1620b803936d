// isolated_fork.cc - what a forked child gets of isolated secrets.
//
//    under fork=inherit         | goes to the child                              | which
//    ---------------------------+------------------------------------------------+---------------------------------------------
//    a closed secret            | sealed, in a record that is made before the    | keeps the record and takes pages when it
//                               | fork (sealed_copies.h)                         | opens the secret
//    an open one in hidden pages| in the copy of hidden pages (fork_copy.h)      | moves each run to its place
//    an open one in locked pages| in those pages                                 | makes them its own and locks them
//    a sealed one               | in its record                                  | has the key (rest_key.h)
//
// A closed one that cannot be sealed (rest=keep, no key, a broken canary), and one of more than small_pages in locked pages, goes as
// an open one does. Under fork=wipe a closed secret needs no pages either: it is sealed zeros.
#include "allocator/pages/fork_exclusion.h"
#include "allocator/pages/fork_gate.h"
#include "allocator/pages/room.h"
#include "allocator/isolated/idle_budget.h"
#include "allocator/isolated/isolated.h"
#include "platform/vectors.h"

namespace lockfast::internal {

using platform::access;
using platform::fork_policy;

namespace {

bool in_use(const span& at) {
  const span::state seen = at.current_state();
  return seen == span::state::live || seen == span::state::busy;
}

// In a child that has the copies in place: whether the pages stay.
bool keeps_run(const span& at) { return in_use(at) && at.has_tenant() && !at.sealed(); }

}  // namespace

template <class Act>
void isolated_arena::for_each_used(Act act) const {
  heap_.for_each([&](span& at) {
    // One that another thread is busy with, to open or close it, is live soon.
    if (in_use(at) && !at.sealed()) act(at);
  });
}

// ---- Before the fork --------------------------------------------------------------------------------------------------------

void isolated_arena::copy_for_child() {
  if (policy_.fork != fork_policy::inherit) return;
  span::hold_back(true);
  seal_for_child();
  // The only other pages that a child would not have or would share.
  if (policy_.hide_error == 0) copy_hidden_for_child();
  span::hold_back(false);
}

void isolated_arena::seal_for_child() {
  // In a handler that interrupted this thread's own sealing, the key may be in use.
  if (policy_.rest == nullptr || policy_.rest->refusal() != 0 || !fork_gate::is_empty()) return;
  const auto is_one = [&](const span& at) {
    return at.current_access() == access::none && at.has_tenant() && at.run() != nullptr && (at.hidden() || !is_large(at));
  };
  std::size_t count = 0;
  for_each_used([&](const span& at) { count += is_one(at); });
  sealed_.begin(count);
  for_each_used([&](span& at) {
    if (sealed_.full() || !is_one(at) || !at.claim_for_copy()) return;
    if (is_one(at) && !at.sealed()) seal_copy(at);
    at.set(span::state::live);
  });
}

void isolated_arena::seal_copy(span& at) {
  // So that there is a map to close it again.
  if (at.set_apart() != 0 || at.protect(access::read_write) != 0) return;
  // What is damaged is to be found so in the child, too.
  if (at.canaries_intact(at.home.key())) {
    if (sealed_record* const made = at.seal_copy(policy_.rest->key, at.home.key()); made != nullptr) {
      sealed_.add({&at, made, at.size(), at.closed_at(), at.generation()});
    }
  }
  if (at.protect(access::none) != 0) end_process(breach::access_refused, policy_.signal);
}

void isolated_arena::copy_hidden_for_child() {
  const auto for_each_hidden = [&](auto act) {
    sealed_copies::walk sealed(sealed_);
    for_each_used([&](span& at) {
      if (!sealed.has(at) && at.hidden()) act(at);
    });
  };
  const auto count = [&] {
    fork_copy::extent all = {};
    for_each_hidden([&](const span& at) { all.add(at.run_size()); });
    return all;
  };
  const auto copy = [&] {
    for_each_hidden([&](span& at) {
      if (!at.claim_for_copy()) return;
      const access before = at.current_access();
      if (at.hidden() && !at.sealed() && (before != access::none || at.protect(access::read) == 0)) {
        (void)copy_.add(&at, at.run(), at.run_size(), at.generation());
        if (at.protect(before) != 0) end_process(breach::access_refused, policy_.signal);
      }
      at.set(span::state::live);
    });
  };
  copy_.make(count, copy);
}

void isolated_arena::before_fork() { heap_.before_fork(); }

void isolated_arena::after_fork_in_parent() {
  copy_.end();
  sealed_.end();
  heap_.after_fork();
}

// ---- In the child -----------------------------------------------------------------------------------------------------------

// A region for which that is refused is gone, and its secrets' addresses are foreign.
void isolated_arena::reserve_in_child() {
  if (policy_.fork != fork_policy::absent) return;
  heap_.for_each_region([](span_region& one) {
    if (!one.empty()) one.reserve_in_child();
  });
}

void isolated_arena::unlock_in_child() {
  idle_budget::reset_in_child();
  heap_.after_fork();
}

void isolated_arena::place_copies_in_child() {
  copy_.for_each([&](const fork_copy::entry& each, std::byte* content) {
    span& at = *static_cast<span*>(each.record);
    if (!at.has_tenant() || at.sealed() || at.run() != each.run || at.run_size() != each.size) return;
    if (!copy_.hidden() || platform::move_hidden(content, each.run, each.size) != 0) {
      if (!at.fill_gap_in_child()) return;
      platform::copy(each.run, content, each.size);
    }
    // Another thread may have changed the tenant since, or wiped the copy.
    if (each.stamp != at.generation() || copy_.wiped()) at.renew_in_child(at.home.key());
  });
  copy_.end();
}

// Under fork=wipe: new hidden pages for what is open, taken all at once, which costs half of what one by one does. Where that is
// refused, each secret's are asked for alone (span::fill_gap_in_child).
void isolated_arena::place_zeros_in_child() {
  const auto for_each_open = [&](auto act) {
    for_each_used([&](span& at) {
      if (at.hidden() && at.has_tenant() && at.access_of_program() != access::none) act(at);
    });
  };
  std::size_t size = 0;
  for_each_open([&](const span& at) { size += at.run_size(); });
  if (size == 0 || !has_room_for(size)) return;
  std::byte* const zeros = platform::map_shared_hidden(size);
  if (zeros == nullptr) return;
  std::byte* next = zeros;
  for_each_open([&](const span& at) {
    if (platform::move_hidden(next, at.run(), at.run_size()) == 0) next += at.run_size();
  });
  const auto moved = static_cast<std::size_t>(next - zeros);
  if (moved != size) platform::release(next, size - moved);
}

// Whether the span has the record from now on. Another thread of the parent may have opened, closed or freed the secret between the
// record and the fork; what it did shows in locked pages, which the child has as they were at the fork.
bool isolated_arena::keep_sealed_copy(const sealed_copies::entry& each) {
  span& at = *each.at;
  if (!in_use(at) || !at.has_tenant() || at.sealed() || at.run() == nullptr) return false;
  const bool is_same = at.generation() == each.generation;
  const bool is_closed = at.access_of_program() == access::none;
  if (!at.hidden()) {
    if (!is_same || !is_closed || at.closed_at() != each.closed_at || !policy_.rest->opens_inherited()) return false;
    at.become_sealed(*each.record);
    return true;
  }
  if (!is_same) {
    if (at.fill_gap_in_child()) at.renew_in_child(at.home.key());
    return false;
  }
  if (!policy_.rest->opens_inherited()) return false;
  at.become_sealed(*each.record);
  if (is_closed) return true;
  if (at.fill_gap_in_child() && at.write_unsealed(policy_.rest->key, at.home.key()) == rest_key::outcome::damaged) {
    end_process(breach::sealed_damaged, policy_.signal);
  }
  at.drop_record();
  return true;
}

// The lists' mutexes are not held across a fork: whatever a thread was doing to a list, the child empties it.
//
// Settles every span that is live, or makes it absent. Every other one becomes fresh, so that the lists begin empty.
void isolated_arena::after_fork_in_child() {
  for (span_list& list : lists_) list.reset_in_child();
  heap_.reset_in_child();

  place_copies_in_child();
  if (policy_.fork == fork_policy::wipe && policy_.hide_error == 0) place_zeros_in_child();
  sealed_.settle_in_child([&](const sealed_copies::entry& each) { return keep_sealed_copy(each); });
  std::uint64_t live = 0;
  heap_.for_each_region([&](span_region& one) {
    if (one.empty()) return;
    if (one.marked()) unmark_unused_in_child(one);
    one.lock_marks_in_child();
    const canary_key before = one.renew_key();
    if (policy_.fork == fork_policy::wipe && policy_.rest != nullptr) seal_zeros_in_child(one);
    if (policy_.fork != fork_policy::absent && !one.marked()) reserve_unused_in_child(one);
    for (span* at = one.begin(); at < one.end(); ++at) live += std::uint64_t{settle_in_child(*at, before)};
  });
  settle_counts_in_child(live);
}

void isolated_arena::seal_zeros_in_child(span_region& in) {
  for (span* at = in.begin(); at < in.end(); ++at) {
    if (in_use(*at) && at->has_tenant() && at->access_of_program() == access::none) at->become_zeros_in_child();
  }
}

// Markers keep the maps of many secrets down that have pages; where all are sealed, as one map without markers does, and to put one
// back for each secret would take three calls.
void isolated_arena::unmark_unused_in_child(span_region& in) {
  for (const span* at = in.begin(); at < in.end(); ++at) {
    if (keeps_run(*at)) return;
  }
  if (policy_.fork != fork_policy::inherit || !fork_exclusion::reserve_over(in.base(), in.size(), policy_.fork)) return;
  for (span* at = in.begin(); at < in.end(); ++at) at->lose_run_in_child();
  in.lose_marks_in_child();
  span_heap::count_maps(in);
}

// Pages of no secret, or of a sealed one, go all at once: from the end of one that stays to the beginning of the next.
void isolated_arena::reserve_unused_in_child(span_region& in) {
  std::byte* from = in.base();
  span* first = in.begin();
  bool is_worthwhile = false;
  const auto reserve_up_to = [&](std::byte* to, const span* behind) {
    if (!is_worthwhile || !fork_exclusion::reserve_over(from, static_cast<std::size_t>(to - from), policy_.fork)) return;
    for (; first < behind; ++first) first->lose_run_in_child();
  };
  for (span* at = in.begin(); at < in.end(); ++at) {
    if (!keeps_run(*at)) {
      is_worthwhile |= at->run() != nullptr;
      continue;
    }
    std::byte* const end = in.end_of(*at);
    reserve_up_to(end - in.place_pages() * page_, at);
    from = end;
    first = at + 1;
    is_worthwhile = false;
  }
  reserve_up_to(in.base() + in.size(), in.end());
}

bool isolated_arena::settle_in_child(span& at, const canary_key& before) {
  const bool is_absent = policy_.fork == fork_policy::absent;
  if (at.current_state() == span::state::absent) {
    // Since a crash it may have a run still.
    at.forget_in_child(policy_.fork);
    return true;
  }
  using enum span::settled;
  const bool is_used = in_use(at);
  const bool has_tenant = is_used && at.has_tenant();
  const bool is_sealed = has_tenant && at.sealed();
  if (is_sealed && (policy_.fork == fork_policy::wipe || (!is_absent && policy_.rest->opens_inherited()))) {
    at.keep_sealed_in_child(policy_.fork);
    at.set(span::state::live);
    return true;
  }
  const auto outcome = !is_used                 ? empty
                       : is_absent || is_sealed ? (has_tenant ? lost : empty)
                                                : at.settle_in_child(before, at.home.key(), policy_.fork);
  if (outcome == kept) {
    at.set(span::state::live);
  } else if (outcome == lost) {
    at.forget_in_child(policy_.fork);
    at.set(span::state::absent);
  } else {
    at.forget_in_child(policy_.fork);
    at.set(span::state::busy);
    retire(at);
  }
  return outcome != empty;
}

// What a thread of the parent was allocating or freeing, and what is gone with its region, was counted on one side only.
void isolated_arena::settle_counts_in_child(std::uint64_t live) {
  std::uint64_t frees = other_frees_.load(std::memory_order_relaxed) + live;
  std::uint64_t allocations = other_allocations_.load(std::memory_order_relaxed);
  for (const span_list& list : lists_) {
    frees += list.frees();
    allocations += list.taken();
  }
  if (allocations > frees) other_frees_.fetch_add(static_cast<std::size_t>(allocations - frees), std::memory_order_relaxed);
  if (frees > allocations)
    other_allocations_.fetch_add(static_cast<std::size_t>(frees - allocations), std::memory_order_relaxed);
}

}  // namespace lockfast::internal
