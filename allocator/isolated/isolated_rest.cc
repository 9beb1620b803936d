// isolated_rest.cc - closed secrets sealed into records, and opened again; pages of theirs for those that need some.
//
// Whoever seals or opens is inside the fork_gate, which nobody enters while busy with a span: fork waits for both.
#include <cerrno>

#include "allocator/pages/fork_gate.h"
#include "allocator/pages/map_watch.h"
#include "allocator/isolated/isolated.h"
#include "platform/one_look.h"

namespace lockfast::internal {

using platform::access;

platform::error isolated_arena::rest_error(const span& at) const {
  if (policy_.rest == nullptr) return ECANCELED;
  if (at.sealed()) return 0;
  return at.size() > aead::max_size ? EFBIG : policy_.rest->seal_refusal();
}

// ---- Sealing ----------------------------------------------------------------------------------------------------------------

bool isolated_arena::seal_in_place(span& donor) const {
  const busy_besides_scope both(&donor);
  if (policy_.rest->refusal() != 0) return false;
  const access before = donor.current_access();
  // Wiped, and what takes it back wants no access, but for another place that shares it.
  if (donor.sealed() && !donor.hidden() && !donor.home.marked()) return true;
  if (donor.set_apart() != 0 || donor.protect(access::read_write) != 0) return false;
  if (donor.sealed()) return true;
  if (!donor.canaries_intact(donor.home.key())) end_process(breach::broken_canary, policy_.signal);
  if (donor.seal(policy_.rest->key) == 0) {
    policy_.rest->add_run();
    return true;
  }
  if (donor.protect(before) != 0) end_process(breach::access_refused, policy_.signal);
  return false;
}

bool isolated_arena::hand_over(span& donor, span& to, const span::tenancy& wanted) const {
  sealer& rest = *policy_.rest;
  const busy_besides_scope both(&donor);
  const bool had_wiped_run = donor.sealed();
  const bool moved = to.take_run_of(donor, wanted, rest.key, policy_.signal) == 0;
  if (!moved && !had_wiped_run && donor.sealed()) rest.add_run();
  if (moved && had_wiped_run) rest.drop_run();
  return moved;
}

bool isolated_arena::vacate(span& sealed) const {
  if (!give_up_run(sealed)) return false;
  policy_.rest->set_short(false);
  return true;
}

bool isolated_arena::give_up_run(span& sealed) const {
  const busy_besides_scope both(&sealed);
  if (sealed.vacate()) {
    policy_.rest->drop_run();
    map_watch::look();
    return true;
  }
  if (sealed.protect(access::none) != 0) end_process(breach::access_refused, policy_.signal);
  return false;
}

// The key comes to lie in front of the donor's own secret, in a page that is held in RAM already; the secret is sealed under it, and
// the page goes where keys are kept.
bool isolated_arena::found_key(span& donor) {
  sealer& rest = *policy_.rest;
  const access before = donor.current_access();
  if (donor.sealed() || donor.lock_error() != 0 || donor.home.marked() || donor.run_size() != page_) return false;
  if (donor.address() < donor.run() + canary::size + rest_key::founding_size) return false;
  if (donor.protect(access::read_write) != 0) return false;
  if (!donor.intact(donor.home.key())) end_process(breach::broken_canary, policy_.signal);
  if (donor.found_key(rest.key) == 0) {
    rest.settle();
    return true;
  }
  if (donor.protect(before) != 0) end_process(breach::access_refused, policy_.signal);
  return false;
}

void isolated_arena::require_key(span& at) {
  sealer& rest = *policy_.rest;
  if (rest.refusal() == 0) return;
  if (rest.tries_again()) {
    rest.prepare();
    if (rest.refusal() != 0 && trim(trimming::shortage) != 0) rest.prepare();
  }
  if (rest.refusal() != 0 && at.lock_error() == 0 && rest.tries_to_found()) (void)found_key(at);
  if (rest.refusal() == 0) seal_unlocked();
}

void isolated_arena::seal_unlocked() {
  sealer& rest = *policy_.rest;
  for (span* left = rest.closed.take_unlocked(); left != nullptr; left = rest.closed.take_unlocked()) {
    const bool done = seal_in_place(*left) && vacate(*left);
    left->set(span::state::live);
    if (!done) return;
  }
}

void isolated_arena::seal_or_close(span& at, platform::error& refusal) {
  require_key(at);
  if (at.sealed()) return;  // its page has the key
  const bool held = at.lock_error() == 0;
  if ((held && policy_.rest->closing_is_plain()) || !seal_in_place(at)) {
    at.tick();
    refusal = at.protect(access::none);
    return;
  }
  // A run that is kept costs two system calls less when it is opened again, and one that is given up at once is closed for less.
  const bool keeps = held && policy_.rest->keeps_wiped_run(at.hidden()) && at.protect(access::none) == 0;
  if (!keeps) (void)vacate(at);
  (void)span::advance_clock();
}

platform::error isolated_arena::close_by_sealing(const std::byte* secret, span& at, const busy_scope& mine) {
  platform::error refusal = 0;
  if (!fork_gate::try_enter()) {
    // Closed, but not sealed, for as long as it takes to fork.
    at.tick();
    refusal = at.protect(access::none);
    at.set(span::state::live);
    if (refusal != 0) return refusal;
    fork_gate::enter();
    if (!at.claim_live(mine)) {
      fork_gate::leave();
      return 0;
    }
    // Another thread may have opened it, or freed it and taken it again.
    if (at.address() != secret || at.sealed() || at.current_access() != access::none) {
      at.set(span::state::live);
      fork_gate::leave();
      return 0;
    }
  }
  seal_or_close(at, refusal);
  at.set(span::state::live);
  fork_gate::leave();
  return refusal;
}

std::size_t isolated_arena::seal_one() {
  if (policy_.rest == nullptr || policy_.rest->refusal() != 0) return 0;
  const fork_gate::scope inside;
  span* const donor = policy_.rest->closed.take(closed_list::any_size);
  if (donor == nullptr) return 0;
  const std::size_t bytes = donor->run_size();
  const bool gave_back = seal_in_place(*donor) && vacate(*donor);
  donor->set(span::state::live);
  return gave_back ? bytes : 0;
}

// ---- Pages ------------------------------------------------------------------------------------------------------------------

platform::error isolated_arena::open_listed(span& at, const span::tenancy& wanted, page_run::lock_wanted lock,
                                            page_run::stay for_how_long) {
  const auto refusal = at.open(wanted, lock, policy_.hide_error, for_how_long);
  if (refusal == 0 && policy_.rest != nullptr) {
    policy_.rest->closed.enlist(at);
    map_watch::look();
  }
  return refusal;
}

// A hidden run of the same size changes places, which costs a fifth of a new one. That takes a page of the budget more for a moment:
// where there is none a first secret gives its run back, and the next one's moves. Any other run is given back and asked for again.
platform::error isolated_arena::open_by_sealing(span& at, const span::tenancy& wanted) {
  sealer& rest = *policy_.rest;
  if (rest.refusal() != 0) return ENOMEM;
  const platform::one_look scope;
  for (bool made_room = false;;) {
    span* donor = rest.closed.take(wanted.run_size);
    // Smaller ones do not help a run that no limit allows.
    if (donor == nullptr && !made_room && wanted.run_size <= platform::lock_limit())
      donor = rest.closed.take(closed_list::any_size);
    if (donor == nullptr && !made_room) return ENOMEM;
    if (donor != nullptr) {
      if (donor->sealed()) rest.see_kept_run_lost();
      const bool hidden = donor->hidden();
      const bool moves = hidden && donor->run_size() == wanted.run_size && !at.home.marked();
      const bool moved = moves && hand_over(*donor, at, wanted);
      const bool gave_back = !moved && seal_in_place(*donor) && give_up_run(*donor);
      donor->set(span::state::live);
      if (moved) {
        rest.closed.enlist(at);
        return 0;
      }
      if (!gave_back) return ENOMEM;
      // Where maps are joined to others a look is needed.
      if (!hidden && !map_watch::has_plenty()) seal_ahead(wanted.run_size);
      if (moves && !made_room) {
        made_room = true;
        continue;
      }
    }
    // Its turn to be sealed comes, too: the lock that needs no look.
    const auto refusal = open_listed(at, wanted, page_run::lock_wanted::always, page_run::stay::brief);
    if (refusal == 0 || !is_shortage(refusal)) return refusal;
    rest.set_short(true);
    made_room = false;
  }
}

void isolated_arena::seal_ahead(std::size_t run_size) {
  sealer& rest = *policy_.rest;
  for (std::size_t left = rest.max_ahead(); left > 1; --left) {
    span* const donor = rest.closed.take(run_size);
    if (donor == nullptr) return;
    const bool gave_back = !donor->hidden() && seal_in_place(*donor) && give_up_run(*donor);
    donor->set(span::state::live);
    if (!gave_back) return;
    rest.add_room();
  }
}

span* isolated_arena::place_by_sealing(std::size_t size, std::size_t alignment, std::size_t page_count, busy_with what) {
  if (what == busy_with::nothing) {
    fork_gate::enter();
  } else if (!fork_gate::try_enter()) {
    return nullptr;
  }
  span* const made = place_inside_gate(size, alignment, page_count);
  fork_gate::leave();
  return made;
}

span* isolated_arena::place_inside_gate(std::size_t size, std::size_t alignment, std::size_t page_count) {
  platform::error refusal = 0;
  const place taken = take_place(page_count, alignment <= page_, refusal);
  if (taken.at == nullptr) return nullptr;
  span& at = *taken.at;
  const auto wanted = span::fit(at.home.end_of(at), size, alignment, page_);
  refusal = taken.idle ? open(taken, wanted, page_run::lock_wanted::always) : open_by_sealing(at, wanted);
  if (refusal != 0) {
    put_back(taken);
    return nullptr;
  }
  at.occupy(wanted, at.home.key());
  if (taken.if_put_back == span_list::tally::nothing) count_grown(page_count);
  return &at;
}

platform::error isolated_arena::take_run(span& at) {
  sealer& rest = *policy_.rest;
  if (at.run() != nullptr) {
    rest.see_kept_run_used();
    const auto refusal = at.protect(access::read_write);
    if (refusal != 0) return refusal;
    at.lock_if_unlocked();
    if (at.lock_error() == 0 || policy_.lock == page_run::lock_wanted::if_possible) {
      rest.drop_run();
      return 0;
    }
    if (!vacate(at)) return ENOMEM;
  }
  const auto wanted = at.tenant_place(page_);
  using enum page_run::lock_wanted;
  if (rest.lacks_room() && open_by_sealing(at, wanted) == 0) return 0;
  constexpr auto brief = page_run::stay::brief;
  auto refusal = open_listed(at, wanted, always, brief);
  if (refusal != 0 && is_shortage(refusal)) {
    rest.set_short(true);
    refusal = open_by_sealing(at, wanted);
    if (refusal != 0 && trim(trimming::shortage) != 0) refusal = open_listed(at, wanted, always, brief);
  }
  if (refusal != 0 && policy_.lock == if_possible) refusal = open_listed(at, wanted, if_possible, brief);
  return refusal;
}

// ---- Opening ----------------------------------------------------------------------------------------------------------------

platform::error isolated_arena::unseal(span& at, access to) {
  if (const auto refusal = take_run(at); refusal != 0) return is_shortage(refusal) ? ENOMEM : refusal;
  if (at.write_unsealed(policy_.rest->key, at.home.key()) == rest_key::outcome::damaged) {
    end_process(breach::sealed_damaged, policy_.signal);
  }
  if (const auto refusal = at.protect(to); refusal != 0) {
    at.wipe_sealed_run();
    policy_.rest->add_run();
    if (at.protect(access::none) != 0) (void)vacate(at);
    return refusal;
  }
  at.drop_record();
  at.remember_lock_error();
  return 0;
}

platform::error isolated_arena::protect_sealed(const std::byte* secret, span& at, access to, const busy_scope& mine) {
  if (to == access::none) {
    at.set(span::state::live);
    return 0;
  }
  if (!fork_gate::try_enter()) {
    at.set(span::state::live);
    fork_gate::enter();
    claim(secret, at, mine);
  }
  // Another thread may have opened it meanwhile.
  const auto refusal = at.sealed() ? unseal(at, to) : at.protect(to);
  at.set(span::state::live);
  fork_gate::leave();
  return refusal;
}

allocated isolated_arena::reallocate_sealed(const std::byte* secret, span& at, std::size_t size) {
  auto refusal = protect(secret, at, access::read_write);
  if (refusal != 0) return {nullptr, refusal};
  std::byte* moved = nullptr;
  {
    const busy_scope mine(&at);
    claim(secret, at, mine);
    refusal = copy_to_new(secret, at, size, moved);
    at.set(span::state::live);
  }
  if (refusal == 0) {
    // It is to be closed, for which there may be no map.
    span& to = *span_region::find_secret(moved).at;
    refusal = to.set_apart();
    refusal == 0 ? deallocate(secret, at) : deallocate(moved, to);
  }
  const std::byte* const stays = refusal == 0 ? moved : secret;
  span& now = *span_region::find_secret(stays).at;
  if (now.home.owner().protect(stays, now, access::none) != 0) end_process(breach::access_refused, policy_.signal);
  return {refusal == 0 ? moved : nullptr, refusal};
}

// Nothing is opened: the record is authenticated, so that a damaged one does not pass, and wiped.
void isolated_arena::deallocate_sealed(span& at) {
  if (at.verify_record(policy_.rest->key) == rest_key::outcome::damaged) end_process(breach::sealed_damaged, policy_.signal);
  platform::forget_secret(at.address());
  at.drop_sealed_tenant();
  if (at.run() != nullptr) {
    policy_.rest->drop_run();
    keep_idle(at, span_list::tally::freed);
    return;
  }
  count_free(at);
  retire(at);
}

}  // namespace lockfast::internal
