// span_at_rest.cc - the tenant of a span sealed into a record and back, and pages that go from one span to another.
#include <cerrno>

#include "allocator/base/breach.h"
#include "allocator/base/bytes.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/pages/map_watch.h"
#include "allocator/isolated/span.h"
#include "allocator/isolated/span_region.h"

namespace lockfast::internal {

using platform::access;

span::tenancy span::tenant_place(std::size_t page) const {
  std::byte* const end = address_ + size_ + gap();
  std::byte* const begin = tenant() - (reinterpret_cast<std::uintptr_t>(tenant()) & (page - 1));
  return {.address = address_, .size = size_, .gap = gap(), .run_size = static_cast<std::size_t>(end - begin)};
}

platform::error span::seal_in(std::byte* map, rest_key& key) {
  sealed_record* const made = sealed_record::take(size_);
  if (made == nullptr) return ENOMEM;
  // Each sealing is a generation of its own, so that no earlier record stands for a later one.
  ++generation_;
  if (const auto refusal = key.seal(bond(), map + (address_ - run()), size_, *made); refusal != 0) {
    --generation_;
    sealed_record::give_back(made, size_);
    return refusal;
  }
  platform::permit(map, run_size());
  wipe(map, run_size());
  // Not before: a signal handler that wipes takes the closed run of a sealed tenant for an empty one.
  become_sealed(*made);
  return 0;
}

// A generation of its own, as each sealing has: no record that the parent makes later is like it.
sealed_record* span::seal_copy(rest_key& key, const canary_key& beside) {
  sealed_record* const made = sealed_record::take(size_);
  if (made == nullptr) return nullptr;
  ++generation_;
  if (key.seal(bond(), address_, size_, *made) != 0) {
    --generation_;
    sealed_record::give_back(made, size_);
    return nullptr;
  }
  write_canaries(beside);
  return made;
}

platform::error span::found_key(rest_key& key) {
  sealed_record* const made = sealed_record::take(size_);
  if (made == nullptr) return ENOMEM;
  const rest_key::founding key_held(key);
  const fork_exclusion::scope held;
  platform::permit(run(), run_size());
  ++generation_;
  const rest_key::founder founder = {run(), home.blank(), home.policy(), hide_error(), address_, size_};
  if (const auto refusal = key.found(key_held, founder, bond(), *made); refusal != 0) {
    --generation_;
    write_canaries(home.key());
    forbid_beside();
    sealed_record::give_back(made, size_);
    return refusal;
  }
  become_sealed(*made);
  lock_watch::forget(run(), run_size());
  forget_run();
  return 0;
}

void span::become_sealed(sealed_record& in) {
  remember_lock_error();
  link_ = reinterpret_cast<std::uintptr_t>(&in);
  content_ = content::sealed;
}

void span::write_canaries(const canary_key& key) {
  const platform::unreported canaries_too;
  const canary beside(key, address_, generation_);
  beside.write(tenant());
  beside.write_gap(address_ + size_, gap());
}

rest_key::outcome span::write_unsealed(const rest_key& key, const canary_key& beside) {
  if (record() != nullptr) {
    const auto found = key.open(bond(), *record(), address_, size_);
    if (found == rest_key::outcome::damaged) return found;
  }
  write_canaries(beside);
  return rest_key::outcome::opened;
}

rest_key::outcome span::verify_record(const rest_key& key) const {
  return record() == nullptr ? rest_key::outcome::opened : key.verify(bond(), *record(), size_);
}

void span::drop_record() {
  sealed_record* const dropped = record();
  content_ = content::plain;
  link_ = 0;
  if (!run_.empty()) forbid_beside();
  if (dropped != nullptr) sealed_record::give_back(dropped, size_);
}

bool span::canaries_intact_in(const std::byte* map, const canary_key& key) const {
  const canary expected(key, address_, generation_);
  const std::byte* const there = map + (tenant() - run());
  return expected.matches(there) && (gap() == 0 || expected.matches_gap(there + canary::size + size_, gap()));
}

// The run is opened at its new place alone, and the tenant sealed from there: after each change of access the first touch of a page
// costs more than the change. A signal handler that wipes reaches the donor's tenant at the old place.
platform::error span::take_run_of(span& donor, const tenancy& wanted, rest_key& key, breach_signal signal) {
  const std::size_t bytes = wanted.run_size;
  std::byte* const begin = wanted.address + wanted.size + wanted.gap - bytes;
  {
    const fork_exclusion::scope held;
    if (const auto refusal = platform::map_hidden_twice(donor.run(), begin, bytes); refusal != 0) return refusal;
  }
  platform::permit(begin, bytes);
  auto refusal = platform::protect(begin, bytes, access::read_write);
  if (refusal == 0 && !donor.sealed()) {
    if (!donor.canaries_intact_in(begin, donor.home.key())) end_process(breach::broken_canary, signal);
    refusal = donor.seal_in(begin, key);
  }
  const fork_exclusion::scope held;
  if (refusal == 0) refusal = donor.replace_run();
  if (refusal != 0) {
    // The pages are in both places: they stay in the first.
    if (fork_exclusion::vacate(begin, bytes, home.blank(), home.policy()) == 0) return refusal;
    end_process(breach::access_refused, signal);
  }
  if (!left_map()) map_watch::add_run();
  access_ = access::read_write;
  run_.adopt(begin, bytes, donor.lock_error(), donor.hide_error());
  donor.forget_run();
  return 0;
}

// A signal handler that wipes would open what takes the place of the pages, which has nothing of the secret: as if they were closed.
platform::error span::replace_run() {
  const access before = access_;
  access_ = access::none;
  const auto refusal = home.marked() ? mark_again() : fork_exclusion::vacate(run(), run_size(), home.blank(), home.policy());
  if (refusal != 0) access_ = before;
  return refusal;
}

bool span::vacate() {
  lock_watch::forget(run(), run_size());
  const fork_exclusion::scope held;
  const auto gives_back = [&](auto close) {
    return run_.give_back(held, home, locked_bytes(), close) == page_run::outcome::given_back;
  };
  const auto close = [&] { return protect(access::none); };
  if (!home.marked() && !hidden() && map_watch::has_plenty() && gives_back(close)) {
    forget_run(page_run::map::left);
    return true;
  }
  // Where the system does not move pages: they are empty, whether or not it closes them.
  const auto try_to_close = [&] { return (void)close(), 0; };
  const bool given_back = replace_run() == 0 || (!home.marked() && gives_back(try_to_close));
  if (given_back) forget_run();
  return given_back;
}

}  // namespace lockfast::internal
