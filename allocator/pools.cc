// pools.cc - what concerns the secrets of every pool.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <string_view>

#include "allocator/pages/fork_gate.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/base/metadata.h"
#include "allocator/pool.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/base/wipes.h"

namespace lockfast::internal {

std::size_t pool::audit() {
  std::size_t damaged = 0;
  for_each_arena([&](isolated_arena& arena) { damaged += arena.audit(); });
  for (pool* const one : every_) damaged += one->grouped_.audit();
  damaged += compartment::audit();
  return damaged;
}

std::size_t pool::trim(trimming why) {
  std::size_t bytes = 0;
  for_each_arena([&](isolated_arena& arena) { bytes += arena.trim(why); });
  bytes += compartment::trim(why);
  for (pool* const one : every_) bytes += one->grouped_.trim(why);
  return bytes;
}

void pool::renew_locks() {
  if (!lock_watch::take_loss()) return;
  for_each_arena([](isolated_arena& arena) { arena.renew_locks(); });
  compartment::renew_locks();
  for (pool* const one : every_) one->grouped_.renew_locks();
  for (pool* const one : every_) one->sealer_.renew_lock();
}

std::size_t pool::seal(std::size_t bytes, std::size_t most) {
  std::size_t sealed = 0;
  for (pool* const one : every_) {
    if (!one->started_.load(std::memory_order_acquire)) continue;
    for (; sealed < bytes && most != 0; --most) {
      const std::size_t more = one->isolated_[0].seal_one();
      if (more == 0) break;
      sealed += more;
    }
  }
  return sealed;
}

// What no lock limit holds is not helped by closed secrets.
std::size_t pool::seal_for(std::size_t size) {
  const std::size_t bytes = size + pages_at_once * platform::page_size();
  return bytes < platform::lock_limit() ? seal(bytes) : 0;
}

std::size_t pool::maps_of_runs() {
  std::size_t maps = 0;
  for_each_arena([&](const isolated_arena& arena) { maps += arena.maps_of_runs(); });
  return maps;
}

void pool::tell_room_for_maps(map_watch::room now) {
  for (pool* const one : every_) one->sealer_.set_room_for_maps(now);
}

std::size_t pool::seal_and_trim() {
  // No more than there are: other threads may go on closing secrets meanwhile.
  struct lockfast_statistics now = {};
  for_each_arena([&](const isolated_arena& arena) { arena.look(now); });
  std::size_t bytes = seal(SIZE_MAX, now.live_isolated) + trim(trimming::asked);
  const fork_gate::scope inside;
  for (pool* const one : every_) {
    if (one->started_.load(std::memory_order_acquire) && has_no_isolated(one))
      bytes += one->sealer_.give_key_back(has_no_isolated, one);
  }
  return bytes;
}

bool pool::has_no_isolated(void* of) {
  struct lockfast_statistics counts = {};
  for (isolated_arena& arena : static_cast<pool*>(of)->isolated_) arena.add_to(counts);
  return counts.live_isolated == 0;
}

void pool::statistics(struct lockfast_statistics& out) {
  lock_watch::look();
  renew_locks();
  const bool blind = lock_watch::sees_none();
  count(out);
  if (!blind || lock_watch::sees_none()) return;
  // A page to ask about was found only now.
  lock_watch::look();
  if (!lock_watch::lost()) return;
  renew_locks();
  count(out);
}

void pool::count(struct lockfast_statistics& out) {
  out = {};
  for_each_arena([&](isolated_arena& arena) { arena.add_to(out); });
  for (pool* const one : every_) one->grouped_.add_to(out);
  for (const pool* const one : every_) out.refusals += one->refusals_.load(std::memory_order_relaxed);
  for (const pool* const one : every_) {
    out.bytes_locked += one->sealer_.key.bytes_locked();
    out.bytes_reserved += one->sealer_.key.bytes_reserved();
  }
  out.bytes_reserved += metadata::bytes_reserved() + sealed_record::bytes_reserved();
  out.lock_limit = platform::lock_limit();
  out.maps_used = platform::maps_used();
  out.map_limit = platform::map_limit();
}

pool::peaks pool::look(struct lockfast_statistics& out) {
  out = {};
  peaks most = {};
  for_each_arena([&](isolated_arena& arena) {
    arena.look(out);
    most.isolated += arena.max_used();
  });
  const std::uint64_t isolated = out.allocations;
  for (const pool* const one : every_) {
    one->grouped_.look(out);
    out.refusals += one->refusals_.load(std::memory_order_relaxed);
  }
  out.bytes_reserved += metadata::bytes_reserved();
  // No more were live than were allocated, though a thread's cache holds more slots ready.
  most.isolated = std::max(most.isolated, out.live_isolated);
  const auto grouped = static_cast<std::size_t>(out.allocations - isolated);
  most.grouped = std::max(std::min(slab_bin::max_taken(), grouped), out.live_grouped);
  return most;
}

void pool::draw(json_lines& out, region::addresses shown) {
  for (const pool* const one : every_) {
    const std::string_view family = one == &native_ ? std::string_view("native") : std::string_view("drop-in");
    for (const isolated_arena& arena : one->isolated_) arena.draw(out, family, shown);
    one->grouped_.draw(out, family, shown);
  }
}

void pool::wipe_all() { (void)wipe_on_crash(platform::after_wipe::as_before); }

bool pool::wipe_on_crash(platform::after_wipe leaves) {
  bool done = true;
  wipes::begin();
  // What is sealed is gone with its key, and nothing is sealed until the rest is wiped.
  for (pool* const one : every_) one->sealer_.key.wipe();
  for_each_arena([&](isolated_arena& arena) { done &= arena.wipe_on_signal(leaves); });
  for (pool* const one : every_) done &= one->grouped_.wipe_on_signal(leaves);
  wipes::end();
  if (leaves == platform::after_wipe::closed) crash_survived_ = true;
  return done;
}

bool pool::show_wiped(const void* address) {
  region* const in = region::holding(address);
  if (in == nullptr) return false;
  if (in->holds() == region::kind::slabs) {
    slab* const at = slab_at(*in, address);
    return at != nullptr && at->show_absent(address);
  }
  span* const at = span_region::find(address).at;
  return at != nullptr && isolated_arena::show_absent(*at, address);
}

void pool::close_shown() {
  for_each_arena([](isolated_arena& arena) { arena.close_absent(); });
  for (pool* const one : every_) one->grouped_.close_absent();
  crash_survived_ = true;
}

void pool::renew_crash_handler() {
  const scoped_lock held(start_mutex_);
  if (crash_survived_.exchange(false)) platform::renew_fatal_signals();
}

}  // namespace lockfast::internal
