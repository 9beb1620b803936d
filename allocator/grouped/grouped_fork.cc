// grouped_fork.cc - grouped secrets at a fork: a copy of the hidden ones before it, order in the child after it.
#include "allocator/grouped/grouped_heap.h"
#include "allocator/pages/fork_exclusion.h"
#include "platform/thread_local.h"

namespace lockfast::internal {

void grouped_heap::copy_for_child(walk of_compartments) {
  if (policy_.hide_error != 0 || policy_.fork != platform::fork_policy::inherit) return;
  const auto for_each_hidden = [&](auto act) {
    for (auto& arena : lists_) {
      for (slab_bin& list : arena) {
        list.for_each([&](slab& one) {
          if (one.hidden()) act(one);
        });
      }
    }
    const auto in_compartment = [&](slab& one) {
      if (one.hidden()) act(one);
    };
    of_compartments(
        *this, [](slab& one, void* with) { (*static_cast<decltype(&in_compartment)>(with))(one); },
        const_cast<void*>(static_cast<const void*>(&in_compartment)));
  };
  const auto count = [&] {
    fork_copy::extent all = {};
    for_each_hidden([&](const slab& one) {
      all.add(one.headers_bytes());
      all.add(one.opened_bytes());
    });
    return all;
  };
  const auto copy = [&] {
    // What was known of the slots before their contents were read, behind those.
    for_each_hidden([&](slab& one) {
      std::byte* const known = copy_.add(nullptr, nullptr, one.headers_bytes(), 0);
      if (known != nullptr) one.copy_headers(known);
      one.open_pages();
      (void)copy_.add(&one, one.run(), one.opened_bytes(), 0);
      one.close_pages();
    });
  };
  copy_.make(count, copy);
}

void grouped_heap::place_copies_in_child() {
  const std::byte* known = nullptr;
  copy_.for_each([&](const fork_copy::entry& each, std::byte* content) {
    if (each.record == nullptr) {
      known = content;
      return;
    }
    slab& one = *static_cast<slab*>(each.record);
    if (one.run() != each.run || one.opened_bytes() < each.size) return;
    if (copy_.hidden() && platform::move_hidden(content, each.run, each.size) == 0) {
      if (one.opened_bytes() != each.size) (void)one.fill_gap_in_child(each.size);
      // Without its key a compartment would be open to all; what can't be closed is not there.
      if (!one.restore_key_in_child()) {
        platform::release(each.run, each.size);
        return;
      }
    } else if (one.fill_gap_in_child(0)) {
      platform::copy(each.run, content, each.size);
    } else {
      return;
    }
    one.renew_in_child(copy_.wiped() ? nullptr : known);
  });
  copy_.end();
}

void grouped_heap::before_fork() { space_.before_fork(); }

void grouped_heap::after_fork_in_parent() {
  space_.after_fork_in_parent();
  copy_.end();
}

void grouped_heap::unlock_in_child() { space_.after_fork_in_parent(); }

void grouped_heap::after_fork_in_child() {
  caches_mutex_.reset_in_child();
  unused_caches_ = nullptr;
  for (thread_cache* one = caches_; one != nullptr; one = one->next) {
    one->forget_in_child();
    if (one == platform::of_thread(thread_caches)[family_]) continue;
    one->next_unused = unused_caches_;
    unused_caches_ = one;
  }
  for (auto& arena : lists_) {
    for (slab_bin& list : arena) list.reset_in_child();
  }
  const bool absent = policy_.fork == platform::fork_policy::absent;
  place_copies_in_child();
  space_.sort_in_child([&](slab& one) {
    if (one.absent_count != 0) return one.forget_closed_in_child(policy_.fork);
    if (one.opened_bytes() == 0 || one.slot_count() == 0 || one.list == nullptr) return false;
    if (absent) return one.leave_absent() != 0;
    auto found = policy_.fork == platform::fork_policy::wipe ? slab::contents::lost : slab::contents::inherited;
    if (one.protect(platform::access::read_write) != 0) {
      // Hidden pages: zeros where those are asked for; of an inheriting child that has no copy the secrets are absent.
      const bool fills = one.hidden() && policy_.fork == platform::fork_policy::wipe && one.fill_gap_in_child(0);
      if (!fills) {
        if (one.hidden()) {
          fork_exclusion::reserve_again(one.run(), one.opened_bytes(), policy_.fork);
        } else {
          one.lose_pages_in_child();
        }
        return one.leave_absent() != 0;
      }
    }
    slab_bin& home = *one.list;
    one.settle_in_child(found);
    home.occupy_in_child(one);
    return true;
  });
}

}  // namespace lockfast::internal
