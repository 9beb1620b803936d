// isolated.cc - allocation and release of isolated secrets.
#include "allocator/isolated/isolated.h"

#include <bit>
#include <cerrno>
#include <cstring>

#include "allocator/base/bytes.h"
#include "allocator/base/wipes.h"
#include "allocator/isolated/idle_budget.h"
#include "allocator/pages/lock_watch.h"
#include "platform/vectors.h"

namespace lockfast::internal {
namespace {

using platform::access;

std::size_t pages_for(std::size_t size, std::size_t alignment, std::size_t page) {
  // Beyond a page, the place must also have room for the address to move down to its multiple.
  const std::size_t aligned = alignment <= page ? (size + alignment - 1) & ~(alignment - 1) : size + alignment + page;
  return (aligned + canary::size + page - 1) >> std::countr_zero(page);
}

}  // namespace

void isolated_arena::start(const policy& chosen) {
  policy_ = chosen;
  page_ = platform::page_size();
  // Hidden pages do not lie between markers.
  const std::size_t marked_from_maps = chosen.hide_error != 0 ? chosen.marked_from_maps : SIZE_MAX;
  heap_.start(*this, {chosen.fork, chosen.large_idle_pages, marked_from_maps});
  idle_budget::start(chosen.spare_pages);
  for (std::size_t list = 0; list < small_pages; ++list) {
    const std::size_t page_count = list + 1;
    const std::size_t share = chosen.idle_pages / 16 / page_count;
    const std::size_t quarantined = share == 0 ? 1 : share;
    const std::size_t ready = chosen.idle_pages / 8 / page_count;
    lists_[list].set_depths(quarantined < span_list::max_quarantined ? quarantined : span_list::max_quarantined,
                            ready < span_list::max_ready ? ready : span_list::max_ready);
  }
}

allocated isolated_arena::allocate(std::size_t size, std::size_t alignment, int value) {
  span* const made = place_secret(size, alignment, value, busy_with::nothing);
  if (made == nullptr) return {nullptr, ENOMEM};
  std::byte* const address = made->address();
  made->set(span::state::live);
  return {address, 0};
}

isolated_arena::place isolated_arena::take_place(std::size_t page_count, bool exact, platform::error& refusal) {
  if (page_count > small_pages || !exact) {
    const auto [at, idle] = heap_.take_large(page_count, exact);
    if (at == nullptr) refusal = ENOMEM;
    return {at, idle};
  }
  span_list& list = lists_[page_count - 1];
  if (span* const ready = list.take_ready(); ready != nullptr) return {ready, true, span_list::tally::taken_back};
  // No place is warm: time to ask.
  lock_watch::look();
  // Spare places may be without the lock that they had: process::renew_locks() gives those back.
  if (!lock_watch::lost()) {
    if (list.refill_ready()) {
      if (span* const spare = list.take_ready(); spare != nullptr) return {spare, true, span_list::tally::taken_back};
    }
    if (span* const spare = list.take_spare(); spare != nullptr) return {spare, true};
  }
  if (span* const kept = list.take_kept(); kept != nullptr) return {kept, true};
  if (span* const fresh = list.take_fresh(); fresh != nullptr) return {fresh, false};
  span* const unused = heap_.take(page_count);
  if (unused == nullptr) refusal = ENOMEM;
  return {unused, false};
}

void isolated_arena::count_grown(std::size_t page_count) {
  other_allocations_.fetch_add(1, std::memory_order_relaxed);
  if (page_count <= small_pages) return lists_[page_count - 1].count_grown();
  const std::size_t used = large_used_.fetch_add(1, std::memory_order_relaxed) + 1;
  std::size_t most = max_large_used_.load(std::memory_order_relaxed);
  while (used > most && !max_large_used_.compare_exchange_weak(most, used, std::memory_order_relaxed)) {
  }
}

[[gnu::flatten]] span* isolated_arena::place_secret(std::size_t size, std::size_t alignment, int value, busy_with what) {
  const std::size_t page_count = pages_for(size, alignment, page_);
  const bool exact = alignment <= page_;

  platform::error refusal = 0;
  const auto attempt = [&](place taken, page_run::lock_wanted lock) -> span* {
    if (taken.at == nullptr) return nullptr;
    span& at = *taken.at;
    const auto wanted = span::fit(at.home.end_of(at), size, alignment, page_);
    refusal = open(taken, wanted, lock);
    if (refusal != 0) {
      put_back(taken);
      return nullptr;
    }
    at.occupy(wanted, at.home.key());
    if (taken.if_put_back == span_list::tally::nothing) count_grown(page_count);
    return &at;
  };
  using enum page_run::lock_wanted;
  sealer* const rest = policy_.rest;
  span* made = nullptr;
  if (rest != nullptr && rest->lacks_room()) made = place_by_sealing(size, alignment, page_count, what);
  if (made == nullptr) made = attempt(take_place(page_count, exact, refusal), always);
  if (made == nullptr && is_shortage(refusal)) {
    // What others keep idle cures a shortage: first a place of this size, then the pages of all.
    if (exact && page_count <= small_pages && !policy_.quarantine_holds) {
      made = attempt({lists_[page_count - 1].take_any_idle(), true}, always);
    }
    if (made == nullptr && rest != nullptr) {
      rest->set_short(true);
      made = place_by_sealing(size, alignment, page_count, what);
    }
    if (made == nullptr && trim(trimming::shortage) != 0) made = attempt(take_place(page_count, exact, refusal), always);
  }
  if (made == nullptr && policy_.lock == if_possible) made = attempt(take_place(page_count, exact, refusal), if_possible);
  if (made != nullptr && value != 0) fill(made->address(), value, size);
  return made;
}

platform::error isolated_arena::open(place taken, const span::tenancy& wanted, page_run::lock_wanted lock) {
  span& at = *taken.at;
  if (!taken.idle) return open_fresh(at, wanted, lock);
  if (const auto refusal = at.reopen(); refusal != 0) return refusal;
  if (!policy_.trap_freed && !at.untouched()) end_process(breach::write_after_free, policy_.signal);
  at.lock_if_unlocked();
  return policy_.lock == page_run::lock_wanted::always ? at.lock_error() : 0;
}

void isolated_arena::claim(const std::byte* secret, span& at, const busy_scope& mine) const {
  const bool was_here = at.address() == secret;
  if (!at.claim_live(mine)) end_process(was_here ? breach::double_free : breach::interior_pointer, policy_.signal);
  if (at.address() != secret) {
    at.set(span::state::live);
    end_process(breach::interior_pointer, policy_.signal);
  }
}

void isolated_arena::keep_idle(span& freed, span_list::tally as) {
  freed.forbid_run();
  if (is_large(freed)) {
    rest_large(freed, as);
    return;
  }
  span_list& list = lists_[freed.home.place_pages() - 1];
  if (span* const surplus = list.put_idle(freed, as); surplus != nullptr) keep_or_retire(list, *surplus);
  if (list.due()) [[unlikely]]
    retire_unneeded(list);
}

// Nothing is read: its canaries are not verified. In place of hidden pages, which the kernel wipes, come inaccessible ones.
void isolated_arena::deallocate_closed(span& at) {
  const bool is_wiped = at.hidden() ? at.retire() : at.wipe_closed_run() == 0;
  if (!is_wiped) end_process(breach::access_refused, policy_.signal);
  platform::forget_secret(at.address());
  at.leave();
  count_free(at);
  retire(at);
}

[[gnu::flatten]] void isolated_arena::deallocate(const std::byte* secret, span& at) {
  if (at.address() == secret && at.claim_absent()) {
    count_free(at);
    platform::forget_secret(secret);
    // After a fork there are no pages; after a crash there are, with canaries in them.
    if (at.sealed()) {
      if (at.run() != nullptr) policy_.rest->drop_run();
      at.drop_sealed_tenant();
    }
    if (at.run() != nullptr && at.protect(access::read_write) == 0) at.wipe_run();
    retire(at);
    return;
  }
  const busy_scope mine(&at);
  claim(secret, at, mine);
  if (at.sealed()) {
    deallocate_sealed(at);
    return;
  }
  if (at.protect(access::read_write) != 0) {
    deallocate_closed(at);
    return;
  }
  if (!at.canaries_intact(at.home.key())) end_process(breach::broken_canary, policy_.signal);
  platform::forget_secret(secret);
  if (policy_.trap_freed) {
    at.wipe_run();
    if (is_large(at) && !heap_.rests(at)) {
      count_free(at);
      release_wiped(at);
      return;
    }
    if (at.protect(access::none) != 0) {
      // At the limit on maps, where a marker needs none; or in a sandbox: then the run is kept as it is, open, wiped and locked.
      count_free(at);
      retire(at);
      return;
    }
  } else {
    at.wipe_tenant();
  }
  keep_idle(at, span_list::tally::freed);
}

inline platform::error isolated_arena::open_closed(span& at, access to) const {
  const auto refusal = at.protect(to);
  if (refusal != 0 || to == access::none) return refusal;
  if (!at.canaries_intact(at.home.key())) end_process(breach::broken_canary, policy_.signal);
  return platform::closed_lock_error() == 0 ? 0 : lock_after_closing(at);
}

[[gnu::always_inline]] inline platform::error isolated_arena::protect_once(const std::byte* secret, span& at, access to) {
  if (at.current_state() == span::state::absent && at.address() == secret) {
    // The program's own handler may look at what a crash has wiped.
    return platform::in_crash_handler() && at.show_absent() ? 0 : ENOMEM;
  }
  const busy_scope mine(&at);
  claim(secret, at, mine);
  platform::error refusal = 0;
  if (at.current_access() == access::none) {
    if (at.sealed()) [[unlikely]]
      return protect_sealed(secret, at, to, mine);
    refusal = open_closed(at, to);
  } else {
    if (!at.canaries_intact(at.home.key())) end_process(breach::broken_canary, policy_.signal);
    if (to == access::none && policy_.rest != nullptr) {
      if (seals_now(at)) [[unlikely]]
        return close_by_sealing(secret, at, mine);
      at.tick();
    }
    refusal = at.protect(to);
  }
  at.set(span::state::live);
  return refusal;
}

platform::error isolated_arena::protect(const std::byte* secret, span& at, access to) {
  const auto refusal = protect_once(secret, at, to);
  if (refusal != 0) [[unlikely]]
    return protect_after_sealing(secret, at, to, refusal);
  return 0;
}

// Maps may be what is short, which other closed secrets give back.
platform::error isolated_arena::protect_after_sealing(const std::byte* secret, span& at, access to, platform::error refusal) {
  constexpr int sealed_at_once = 16;
  constexpr int max_tries = 4;
  for (int tries = 0; tries < max_tries && is_shortage(refusal) && at.current_state() != span::state::absent; ++tries) {
    int sealed = 0;
    while (sealed < sealed_at_once && seal_one() != 0) ++sealed;
    if (sealed == 0) break;
    refusal = protect_once(secret, at, to);
  }
  return refusal;
}

platform::error isolated_arena::lock_after_closing(span& at) const {
  at.lock_if_unlocked();
  const platform::error refusal = policy_.lock == page_run::lock_wanted::always ? at.lock_error() : 0;
  if (refusal != 0 && at.protect(access::none) != 0) end_process(breach::access_refused, policy_.signal);
  return refusal;
}

platform::error isolated_arena::check(const std::byte* secret, span& at) {
  const busy_scope mine(&at);
  if (!at.claim_live(mine)) return EINVAL;
  const auto result = at.address() == secret ? verify(at) : EINVAL;
  at.set(span::state::live);
  return result;
}

platform::error isolated_arena::verify(span& at) const {
  if (at.sealed()) return at.verify_record(policy_.rest->key) == rest_key::outcome::damaged ? EFAULT : 0;
  const bool is_closed = at.current_access() == access::none;
  auto result = is_closed ? at.show() : 0;
  if (result == 0 && !at.intact(at.home.key())) result = EFAULT;
  if (is_closed && at.hide_again() != 0) end_process(breach::access_refused, policy_.signal);
  return result;
}

platform::error isolated_arena::describe(const std::byte* secret, span& at, account by, lockfast_receipt& receipt) {
  const busy_scope mine(&at);
  if (!at.claim_live(mine)) return EINVAL;
  const bool found = at.address() == secret;
  if (found) {
    receipt.size = at.size();
    receipt.placement = LOCKFAST_ISOLATED;
    // What is sealed is as well kept as its key.
    const platform::error hide_error = at.sealed() ? policy_.rest->key.hide_error() : at.hide_error();
    const platform::error lock_error_now = at.sealed()             ? policy_.rest->key.lock_error()
                                           : by == account::system ? at.lock_error_now()
                                                                   : 0;
    receipt.lock_error = lock_error_now != 0 ? lock_error_now : at.tenant_lock_error();
    receipt.backing = receipt.lock_error != 0 ? LOCKFAST_UNLOCKED : hide_error == 0 ? LOCKFAST_HIDDEN : LOCKFAST_LOCKED;
    receipt.access = static_cast<lockfast_access>(at.current_access());
    receipt.dump_error = hide_error == 0 ? 0 : at.home.dump_error();
    receipt.hide_error = hide_error;
    receipt.rest_error = rest_error(at);
    receipt.rest = at.sealed() ? LOCKFAST_SEALED : at.current_access() == access::none ? LOCKFAST_CLOSED : LOCKFAST_OPEN;
    receipt.fork_error = at.home.fork_error();
    receipt.access_error = 0;
  }
  at.set(span::state::live);
  return found ? 0 : EINVAL;
}

platform::error isolated_arena::copy_to_new(const std::byte* secret, span& at, std::size_t size, std::byte*& moved) {
  const access before = at.current_access();
  // Open as it is to be when it is freed: what is refused is refused here, and there is a way back.
  platform::error refusal = before == access::none ? at.set_apart() : 0;
  if (refusal == 0 && before == access::none) refusal = at.protect(access::read_write);
  if (refusal == 0) {
    if (!at.canaries_intact(at.home.key())) end_process(breach::broken_canary, policy_.signal);
    refusal = ENOMEM;
    const wipes::look before_copy;
    if (span* const to = place_secret(size, 1, 0, busy_with::span); to != nullptr) {
      const busy_besides_scope both(to);
      moved = to->address();
      platform::copy(moved, secret, size < at.size() ? size : at.size());
      if (before_copy.wiped()) wipe(moved, size);
      to->tick();
      refusal = to->protect(before);
      to->set(span::state::live);
      if (refusal != 0) deallocate(moved, *to);
    }
    if (refusal != 0 && at.protect(before) != 0) end_process(breach::access_refused, policy_.signal);
  }
  return refusal;
}

allocated isolated_arena::reallocate(const std::byte* secret, span& at, std::size_t size) {
  if (at.current_state() == span::state::absent && at.address() == secret) return {nullptr, ENOMEM};
  std::byte* moved = nullptr;
  platform::error refusal = 0;
  bool is_sealed = false;
  {
    const busy_scope mine(&at);
    claim(secret, at, mine);
    // Asked while nobody else can seal it: another thread does so to a closed secret at any moment, at a shortage or a trim.
    is_sealed = at.sealed();
    if (!is_sealed) refusal = copy_to_new(secret, at, size, moved);
    at.set(span::state::live);
  }
  if (is_sealed) return reallocate_sealed(secret, at, size);
  if (refusal != 0) return {nullptr, refusal};
  deallocate(secret, at);
  return {moved, 0};
}

std::size_t isolated_arena::audit() {
  std::size_t damaged = 0;
  heap_.for_each([&](span& at) {
    const busy_scope mine(&at);
    if (!at.claim_live(mine)) return;
    damaged += verify(at) == EFAULT;
    at.set(span::state::live);
  });
  return damaged;
}

void isolated_arena::renew_locks() {
  trim();
  heap_.for_each([](span& at) {
    // One that somebody is busy with, perhaps this thread, may stay without a lock; its receipt says so.
    if (!at.claim_live_at_once()) return;
    at.renew_lock();
    at.set(span::state::live);
  });
}

bool isolated_arena::wipe_on_signal(platform::after_wipe leaves) {
  bool done = true;
  heap_.for_each([&](span& at) { done &= at.wipe_on_signal(leaves); });
  copy_.wipe_on_signal();
  return done;
}

bool isolated_arena::show_absent(span& at, const void* address) {
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - at.run());
  return offset < at.run_size() && at.show_absent();
}

void isolated_arena::close_absent() {
  heap_.for_each([](span& at) { at.close_absent(); });
}

}  // namespace lockfast::internal
