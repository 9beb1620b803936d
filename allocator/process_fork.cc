// process_fork.cc - a fork: every mutex in its order, copies of what is hidden, and order in the child.
#include <array>

#include "allocator/base/scoped_lock.h"
#include "allocator/compartment/grants.h"
#include "allocator/pages/fork_gate.h"
#include "allocator/pages/fork_exclusion.h"
#include "allocator/ledger.h"
#include "allocator/pages/lock_watch.h"
#include "allocator/base/metadata.h"
#include "allocator/base/wipes.h"
#include "allocator/pool.h"
#include "allocator/process.h"
#include "allocator/pages/region_map.h"
#include "platform/one_look.h"

namespace lockfast::internal {
namespace {

// Those that are taken last, and released first.
std::array<platform::mutex*, 4> of_process() {
  return {&region_map::mutex(), &grants_mutex(), &sealed_record::mutex(), &metadata::mutex()};
}
void unlock_of_process() {
  const auto all = of_process();
  for (std::size_t left = all.size(); left != 0; --left) unlock_after_fork(*all[left - 1]);
}

}  // namespace

// When the library is loaded, not when it starts: a fork that begins while another thread starts a pool must find the handlers
// registered, or its child would find the mutex held for ever.
void process::register_fork_handlers() { platform::at_fork(before_fork, after_fork_in_parent, after_fork_in_child); }

void process::before_fork() {
  lock_over_fork(start_mutex_);
  fork_gate::shut();
  pool::for_each_arena([](isolated_arena& arena) { arena.copy_for_child(); });
  for (pool* const one : pool::all()) one->sealing().key.copy_for_child();
  compartment::before_fork();
  pool::for_each_arena([](isolated_arena& arena) { arena.before_fork(); });
  for (pool* const one : pool::all()) one->grouped().copy_for_child(compartment::for_each_slab_of);
  for (pool* const one : pool::all()) one->grouped().before_fork();
  fork_exclusion::before_fork();
  ledger::of_process().before_fork();
  for (platform::mutex* const each : of_process()) lock_over_fork(*each);
}

void process::after_fork_in_parent() {
  unlock_of_process();
  ledger::of_process().after_fork_in_parent();
  fork_exclusion::after_fork();
  for (pool* const one : pool::all()) one->grouped().after_fork_in_parent();
  pool::for_each_arena([](isolated_arena& arena) { arena.after_fork_in_parent(); });
  compartment::after_fork_in_parent();
  for (pool* const one : pool::all()) one->sealing().key.after_fork_in_parent();
  fork_gate::reopen();
  unlock_after_fork(start_mutex_);
}

// The child is alone: no mutex is needed while the arenas put themselves in order.
void process::after_fork_in_child() {
  const platform::one_look scope;
  platform::forget_fatal_signal_in_child();
  wipes::reset_in_child();
  unlock_of_process();
  ledger::of_process().after_fork_in_parent();
  fork_exclusion::after_fork();
  // Before anything else takes a map or a place: at the limit on maps there are just those that the regions had in the parent.
  pool::for_each_arena([](isolated_arena& arena) { arena.reserve_in_child(); });
  for (pool* const one : pool::all()) one->grouped().reserve_in_child();
  ledger::of_process().after_fork_in_child();
  lock_watch::reset_in_child();
  map_watch::reset_in_child();
  for (pool* const one : pool::all()) one->sealing().settle_in_child();
  // All of them first: an arena or a heap that is put in order takes its own again.
  pool::for_each_arena([](isolated_arena& arena) { arena.unlock_in_child(); });
  for (pool* const one : pool::all()) one->grouped().unlock_in_child();
  compartment::after_fork_in_parent();
  pool::for_each_arena([](isolated_arena& arena) { arena.after_fork_in_child(); });
  compartment::reset_in_child();
  for (pool* const one : pool::all()) one->grouped().after_fork_in_child();
  compartment::settle_in_child();
  fork_gate::reopen_in_child();
  unlock_after_fork(start_mutex_);
}

}  // namespace lockfast::internal
