// process.cc - the walks over the secrets of every pool.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <string_view>

#include "allocator/base/metadata.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/base/wipes.h"
#include "allocator/dispatch.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/pool.h"
#include "allocator/process.h"

namespace lockfast::internal {

std::size_t process::audit() {
  std::size_t damaged = 0;
  pool::for_each_arena([&](isolated_arena& arena) { damaged += arena.audit(); });
  pool::for_each_started([&](pool& one) { damaged += one.grouped().audit(); });
  damaged += compartment::audit();
  return damaged;
}

std::size_t process::trim(trimming why) {
  std::size_t bytes = 0;
  pool::for_each_arena([&](isolated_arena& arena) { bytes += arena.trim(why); });
  bytes += compartment::trim(why);
  pool::for_each_started([&](pool& one) { bytes += one.grouped().trim(why); });
  return bytes;
}

void process::renew_locks() {
  if (!lock_watch::take_loss()) return;
  pool::for_each_arena([](isolated_arena& arena) { arena.renew_locks(); });
  compartment::renew_locks();
  pool::for_each_started([](pool& one) { one.grouped().renew_locks(); });
  pool::for_each_started([](pool& one) { one.sealing().renew_lock(); });
}

std::size_t process::seal(std::size_t bytes, std::size_t most) {
  std::size_t sealed = 0;
  pool::for_each_started([&](pool& one) {
    for (; sealed < bytes && most != 0; --most) {
      const std::size_t more = one.isolated()[0].seal_one();
      if (more == 0) break;
      sealed += more;
    }
  });
  return sealed;
}

// What no lock limit holds is not helped by closed secrets.
std::size_t process::seal_for(std::size_t size) {
  const std::size_t bytes = size + pages_at_once * platform::page_size();
  return bytes < platform::lock_limit() ? seal(bytes) : 0;
}

std::size_t process::maps_of_runs() {
  std::size_t maps = 0;
  pool::for_each_arena([&](const isolated_arena& arena) { maps += arena.maps_of_runs(); });
  return maps;
}

void process::tell_room_for_maps(map_watch::room now) {
  for (pool* const one : pool::all()) one->sealing().set_room_for_maps(now);
}

std::size_t process::seal_and_trim() {
  // No more than there are: other threads may go on closing secrets meanwhile.
  struct lockfast_statistics now = {};
  pool::for_each_arena([&](const isolated_arena& arena) { arena.look(now); });
  std::size_t bytes = seal(SIZE_MAX, now.live_isolated);
  // At the limit on maps what has to be divided first cannot be given back until others have given their maps back. Other threads may
  // go on freeing, so there is an end to it.
  constexpr int max_walks = 4;
  std::size_t more = 1;
  for (int walk = 0; walk < max_walks && more != 0; ++walk) {
    more = trim(trimming::asked);
    bytes += more;
  }
  pool::for_each_started([&](pool& one) { bytes += one.give_key_back(); });
  return bytes;
}

void process::statistics(struct lockfast_statistics& out) {
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

void process::count(struct lockfast_statistics& out) {
  out = {};
  pool::for_each_arena([&](isolated_arena& arena) { arena.add_to(out); });
  pool::for_each_started([&](pool& one) { one.grouped().add_to(out); });
  count_beside_arenas(out);
  out.lock_limit = platform::lock_limit();
  out.maps_used = platform::maps_used();
  out.map_limit = platform::map_limit();
}

void process::count_beside_arenas(struct lockfast_statistics& out) {
  for (const pool* const one : pool::all()) out.refusals += one->refusals();
  pool::for_each_started([&](pool& one) {
    out.bytes_locked += one.sealing().key.bytes_locked();
    out.bytes_reserved += one.sealing().key.bytes_reserved();
  });
  out.bytes_reserved += metadata::bytes_reserved() + sealed_record::bytes_reserved();
}

process::peaks process::look(struct lockfast_statistics& out) {
  out = {};
  peaks most = {};
  pool::for_each_arena([&](isolated_arena& arena) {
    arena.look(out);
    most.isolated += arena.max_used();
  });
  const std::uint64_t isolated = out.allocations;
  pool::for_each_started([&](pool& one) { one.grouped().look(out); });
  count_beside_arenas(out);
  // No more were live than were allocated, though a thread's cache holds more slots ready.
  most.isolated = std::max(most.isolated, out.live_isolated);
  const auto grouped = static_cast<std::size_t>(out.allocations - isolated);
  most.grouped = std::max(std::min(slab_bin::max_taken(), grouped), out.live_grouped);
  return most;
}

void process::draw(json_lines& out, region::addresses shown) {
  pool::for_each_started([&](pool& one) {
    const std::string_view family = &one == &pool::native() ? std::string_view("native") : std::string_view("drop-in");
    for (const isolated_arena& arena : one.isolated()) arena.draw(out, family, shown);
    one.grouped().draw(out, family, shown);
  });
}

void process::wipe_all() { (void)wipe_on_crash(platform::after_wipe::as_before); }

bool process::wipe_on_crash(platform::after_wipe leaves) {
  bool done = true;
  wipes::begin();
  // What is sealed is gone with its key, and nothing is sealed until the rest is wiped.
  pool::for_each_started([](pool& one) { one.sealing().key.wipe(); });
  pool::for_each_arena([&](isolated_arena& arena) { done &= arena.wipe_on_signal(leaves); });
  const auto wipe_in_compartment = [](slab& one) { return one.within->wipe_on_signal(one); };
  pool::for_each_started([&](pool& one) { done &= one.grouped().wipe_on_signal(leaves, wipe_in_compartment); });
  wipes::end();
  if (leaves == platform::after_wipe::closed) crash_survived_ = true;
  return done;
}

bool process::show_wiped(const void* address) {
  return dispatch<span_region::find>(
      address, [&](slab& in) { return in.show_absent(address); },
      [&](span& at) { return isolated_arena::show_absent(at, address); }, [](breach) { return false; });
}

void process::close_shown() {
  pool::for_each_arena([](isolated_arena& arena) { arena.close_absent(); });
  pool::for_each_started([](pool& one) { one.grouped().close_absent(); });
  crash_survived_ = true;
}

void process::renew_crash_handler() {
  const scoped_lock held(start_mutex_);
  if (crash_survived_.exchange(false)) platform::renew_fatal_signals();
}

}  // namespace lockfast::internal
