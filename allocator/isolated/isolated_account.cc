// isolated_account.cc - what the statistics and a report's map say of an arena.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <string_view>

#include "allocator/isolated/isolated.h"
#include "allocator/pages/lock_watch.h"

namespace lockfast::internal {

std::size_t isolated_arena::max_used() const {
  std::size_t most = max_large_used_.load(std::memory_order_relaxed);
  for (const span_list& list : lists_) most += static_cast<std::size_t>(list.max_used());
  return most;
}

// Between markers a run that is open for writing shares the map of the others.
std::size_t isolated_arena::maps_of_runs() const {
  std::size_t runs = 0;
  heap_.for_each([&](const span& at) {
    const bool has_run = at.run() != nullptr && (!at.home.marked() || at.current_access() != platform::access::read_write);
    runs += has_run || at.left_map();
  });
  return 2 * runs;
}

void isolated_arena::add_to(struct lockfast_statistics& out) {
  heap_.while_still([&] {
    look(out);
    if (!lock_watch::sees_none()) return;
    heap_.for_each([](const span& at) {
      if (at.run() != nullptr && !at.hidden() && at.lock_error() == 0) lock_watch::see_locked(at.run());
    });
  });
}

void isolated_arena::look(struct lockfast_statistics& out) const {
  std::uint64_t frees = other_frees_.load(std::memory_order_relaxed);
  std::uint64_t allocations = other_allocations_.load(std::memory_order_relaxed);
  for (const span_list& list : lists_) {
    frees += list.frees();
    allocations += list.taken();
  }
  std::size_t live = 0;
  heap_.for_each_region([&](const span_region& one) {
    if (!one.empty()) out.bytes_reserved += one.size();
    // Between markers the whole map is locked, and counts against the limit.
    const bool all_locked = !one.empty() && one.marked();
    if (all_locked) out.bytes_locked += one.size();
    for (span* at = one.begin(); at < one.end(); ++at) {
      const span::state seen = at->current_state();
      if (!all_locked && at->run() != nullptr && at->lock_error() == 0) out.bytes_locked += at->run_size();
      if (seen == span::state::idle) out.bytes_idle += at->run_size();
      const bool counts =
          seen == span::state::live || seen == span::state::absent || (seen == span::state::busy && at->has_tenant());
      if (!counts) continue;
      ++live;
      out.bytes_live += at->size();
      const bool is_unlocked = at->tenant_lock_error() != 0 || (at->sealed() && policy_.rest->key.lock_error() != 0);
      out.live_unlocked += is_unlocked;
      if (at->sealed()) {
        ++out.live_sealed;
        out.bytes_sealed += at->size();
        out.live_hidden += policy_.rest->key.hide_error() == 0 && !is_unlocked;
      } else {
        // One that was unlocked before is so until it is freed, as its receipt says.
        out.live_hidden += at->hidden() && !is_unlocked;
      }
    }
  });
  out.live += live;
  out.live_isolated += live;
  out.frees += frees;
  out.allocations += allocations;
}

namespace {

std::string_view state_of(const span& one) {
  switch (one.current_state()) {
    case span::state::fresh: return "unused";
    case span::state::idle: return "resting";
    case span::state::absent: return "absent";
    case span::state::busy:
      if (!one.has_tenant()) return "busy";
      [[fallthrough]];
    case span::state::live:
      if (one.sealed()) return "sealed";
      return one.hidden() ? "hidden" : one.lock_error() == 0 ? "locked" : "unlocked";
  }
  __builtin_unreachable();
}

}  // namespace

void isolated_arena::draw(json_lines& out, std::string_view family, region::addresses shown) const {
  heap_.for_each_region([&](const span_region& one) {
    if (one.empty()) return;
    const std::size_t guards = one.place_count() + 1;
    out.begin("region");
    out.text("family", family);
    out.text("kind", "isolated");
    if (shown == region::addresses::shown) out.address("address", one.base());
    out.number("pages", one.size() / page_);
    out.number("guards", guards);
    out.text("guarded_by", one.marked() ? "markers" : "maps");
    out.number("places", one.place_count());
    out.number("place_pages", one.place_pages());
    out.begin_runs("states");
    std::size_t used = 0;
    for (const span* at = one.begin(); at < one.end(); ++at, ++used) out.run(state_of(*at));
    for (; used < one.place_count(); ++used) out.run("unused");
    out.end_runs();
    out.end();
  });
}

}  // namespace lockfast::internal
