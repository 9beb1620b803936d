// part_scenarios.cc - what is shared by all of the library and has no mutex, each part by itself.
#include <cerrno>

#include "allocator/base/openings.h"
#include "allocator/base/relaxed.h"
#include "allocator/base/wipes.h"
#include "allocator/grouped/slot.h"
#include "allocator/isolated/idle_budget.h"
#include "allocator/pages/fork_gate.h"
#include "allocator/pages/lock_watch.h"
#include "tests/interleaving/scenario.h"
#include "tests/interleaving/secrets.h"

namespace lockfast::interleaving {
namespace {

using internal::fork_gate;
using internal::idle_budget;
using internal::lock_watch;
using internal::openings;
using internal::relaxed;
using internal::slot;
using internal::wipes;

relaxed<bool> forking = false;
relaxed<int> inside = 0;

void pass_gate() {
  const fork_gate::scope entered;
  inside = 1;
  require(!forking, "a thread is inside while the gate is shut");
  inside = 0;
}

void shut_gate() {
  fork_gate::shut();
  forking = true;
  require(inside == 0, "a thread is inside while the gate is shut");
  forking = false;
  fork_gate::reopen();
}

std::byte* page = nullptr;

void give_page_back_and_take_again() {
  lock_watch::forget(page, platform::page_size());
  require(platform::unlock(page, platform::page_size()) == 0, "an unlock is refused");
  require(platform::lock(page, platform::page_size()) == 0, "a lock is refused");
  lock_watch::see_locked(page);
}

void watch_page() {
  const auto reserved = platform::reserve(platform::page_size(), platform::page_size(), platform::fork_policy::inherit);
  page = reserved.address;
  require(page != nullptr && platform::protect(page, platform::page_size(), platform::access::read_write) == 0, "no page");
  require(platform::lock(page, platform::page_size()) == 0, "a lock is refused");
  lock_watch::see_locked(page);
}

relaxed<int> first = 0;  // where a walk comes first
relaxed<int> last = 0;

void move_to_where_the_walk_was() {
  const wipes::look before;
  const int copied = last;
  first = copied;
  last = 0;
  if (before.wiped()) first = 0;
}

void walk() {
  wipes::begin();
  first = 0;
  last = 0;
  wipes::end();
}

slot one;
relaxed<int> owners = 0;

void claim_slot() {
  const slot::header known = one.read();
  if (!known.is_free() || !one.change(known, known.in(slot::state::entering))) return;
  owners = owners + 1;
}

std::atomic<std::size_t> kept = 0;  // of the bound of 3

void keep_idle_pages() {
  if (!idle_budget::take(2)) return;
  require(kept.fetch_add(2) + 2 <= 3, "more pages are kept than the bound allows");
  kept.fetch_sub(2);
  idle_budget::give_back(2);
}

std::size_t counted_runs(platform::error why, std::size_t& entries) {
  std::size_t all = 0;
  openings::for_each_reason([&](openings::protection of, platform::error error, std::size_t runs) {
    if (of != openings::protection::lock || error != why) return;
    ++entries;
    all += runs;
  });
  return all;
}

void require_runs(platform::error why, std::size_t wanted) {
  std::size_t entries = 0;
  require(counted_runs(why, entries) == wanted, "the runs of a reason are not counted exactly");
  require(entries == 1, "a reason has two entries");
}

const scenario all[] = {
    {.name = "fork_gate", .options = "", .threads = {pass_gate, shut_gate}, .quick_bound = 3, .long_bound = 4},
    {.name = "fork_gate.of_three",
     .options = "",
     .threads = {pass_gate, shut_gate, pass_gate},
     .quick_bound = 2,
     .long_bound = 3},
    {.name = "lock_watch",
     .options = "",
     .threads = {[] { lock_watch::look(); }, give_page_back_and_take_again},
     .prepare = watch_page,
     .verify =
         [] {
           require(!lock_watch::lost(), "a page that was given back counts as lost");
           require(!lock_watch::sees_none(), "no page is watched");
         },
     .quick_bound = 3,
     .long_bound = 4},
    {.name = "lock_watch.of_three",
     .options = "",
     .threads = {[] { lock_watch::look(); }, give_page_back_and_take_again, [] { lock_watch::look(); }},
     .prepare = watch_page,
     .verify = [] { require(!lock_watch::lost(), "a page that was given back counts as lost"); },
     .quick_bound = 2,
     .long_bound = 3},
    {.name = "wipes",
     .options = "",
     .threads = {move_to_where_the_walk_was, walk},
     .prepare = [] { last = 1; },
     .verify = [] { require(first == 0 && last == 0, "a secret outlives a wipe"); },
     .quick_bound = 3,
     .long_bound = 4},
    {.name = "wipes.two",
     .options = "",
     .threads = {move_to_where_the_walk_was, walk, walk},
     .prepare = [] { last = 1; },
     .verify = [] { require(first == 0 && last == 0, "a secret outlives a wipe"); },
     .quick_bound = 2,
     .long_bound = 3},
    {.name = "slot",
     .options = "",
     .threads = {claim_slot, claim_slot, claim_slot},
     .verify = [] { require(owners == 1, "a slot has two owners, or none"); },
     .quick_bound = 3,
     .long_bound = 4},
    {.name = "idle_budget",
     .options = "",
     .threads = {keep_idle_pages, keep_idle_pages, keep_idle_pages},
     .prepare = [] { idle_budget::start(3); },
     .verify =
         [] {
           require(idle_budget::take(3), "pages are counted that nobody keeps");
           require(!idle_budget::take(1), "more pages are kept than the bound allows");
         },
     .quick_bound = 2,
     .long_bound = 4},
    {.name = "openings",
     .options = "",
     .threads = {[] { openings::count(ENOMEM, 0, 0, 0); },
                 [] {
                   openings::count(EPERM, 0, 0, 0);
                   openings::count(ENOMEM, 0, 0, 0);
                 }},
     .verify =
         [] {
           require_runs(ENOMEM, 2);
           require_runs(EPERM, 1);
         },
     .quick_bound = 2,
     .long_bound = 4},
};

}  // namespace

std::span<const scenario> part_scenarios() { return all; }

}  // namespace lockfast::interleaving
