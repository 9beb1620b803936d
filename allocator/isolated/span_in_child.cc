// span_in_child.cc - what a forked child makes of a secret's pages.
#include "allocator/isolated/span.h"

#include <cerrno>

#include "allocator/base/bytes.h"
#include "allocator/isolated/span_region.h"
#include "allocator/pages/fork_exclusion.h"

namespace lockfast::internal {

using platform::access;

namespace {

// Empties pages that the child cannot open to wipe them. They have no lock in the child, and to discard them is not enough: a system may
// take discarded frames only when it needs some.
void lose_pages(span& at) {
  if (at.hidden()) return;
  if (!at.home.marked() && fork_exclusion::reserve_over(at.run(), at.run_size(), at.home.policy())) return;
  (void)at.wipe_closed_run();
}

}  // namespace

bool span::fill_gap_in_child() { return run_.fill_gap_in_child(home, 0, platform::default_key); }

void span::renew_in_child(const canary_key& key) {
  platform::permit(run(), run_size());
  wipe(run(), run_size());
  write_canaries(key);
  forbid_beside();
}

span::settled span::settle_in_child(const canary_key& key, const canary_key& renewed, platform::fork_policy policy) {
  if (run_.empty()) return settled::empty;
  const access wanted = access_of_program();
  if (shown()) content_ = content::plain;
  // Not through protect(): a thread of the parent may have been between the system call and the record of it.
  const bool is_open = wanted == access::read_write && !hidden() && current_state() == state::live;
  const auto refusal = is_open ? 0 : platform::protect(run(), run_size(), access::read_write);
  const bool emptied = policy == platform::fork_policy::wipe;
  // Hidden pages stayed with the parent: zeros stand for them where zeros were asked for, and nothing does where the copy failed.
  if (refusal != 0 && !(emptied && hidden() && has_tenant() && fill_gap_in_child())) {
    lose_pages(*this);
    return has_tenant() ? settled::lost : settled::empty;
  }
  access_ = access::read_write;
  if (!has_tenant()) {
    // A thread of the parent was taking a tenant in or out: the child's copy may hold what that thread had yet to wipe.
    wipe_run();
    return settled::empty;
  }
  if (!hidden()) run_.set_lock_error(platform::lock_again(run(), run_size()));
  // Where the system gave a copy, the zeros are ours to make.
  if (emptied && home.fork_error() != 0) wipe_run();
  // What was damaged stays so: under the renewed key its old canary is as wrong.
  if (emptied || canaries_intact(key)) write_canaries(renewed);
  forbid_beside();
  // What cannot be closed is not left open.
  if (protect(wanted) == 0) return settled::kept;
  wipe_run();
  return settled::lost;
}

void span::give_up_run_in_child(platform::fork_policy policy) {
  if (left_map()) return;
  if (!run_.empty() && policy != platform::fork_policy::absent) {
    if (hidden()) {
      fork_exclusion::reserve_again(run(), run_size(), policy);
    } else if (home.marked()) {
      (void)platform::mark_again(run(), run_size());
    } else {
      (void)platform::unlock(run(), run_size());
      platform::discard(run(), run_size());
      (void)platform::protect(run(), run_size(), access::none);
    }
  }
  forget_run();
}

void span::forget_in_child(platform::fork_policy policy) {
  if (sealed()) drop_record();
  give_up_run_in_child(policy);
  content_ = content::none;
}

void span::keep_sealed_in_child(platform::fork_policy policy) {
  // What was sealed for the child alone is in its copy of the run, too.
  platform::permit(run(), run_size());
  if (!run_.empty() && !hidden()) {
    if (platform::protect(run(), run_size(), access::read_write) == 0) {
      wipe(run(), run_size());
    } else {
      lose_pages(*this);
    }
  }
  give_up_run_in_child(policy);
  if (policy != platform::fork_policy::wipe) return;
  drop_record();
  content_ = content::sealed;
}

void span::become_zeros_in_child() {
  if (sealed()) return;
  link_ = 0;
  content_ = content::sealed;
}

}  // namespace lockfast::internal
