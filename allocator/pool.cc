// pool.cc - the two families, their start, and the calls that go to whichever holds a secret.
#include "allocator/pool.h"

#include <cerrno>
#include <cstdint>

#include "allocator/bytes.h"
#include "allocator/ledger.h"
#include "allocator/metadata.h"
#include "allocator/options.h"
#include "allocator/region.h"
#include "allocator/region_map.h"
#include "allocator/scoped_lock.h"

namespace lockfast::internal {
namespace {

constexpr lockfast_options native_defaults = {LOCKFAST_LOCK_REQUIRED, LOCKFAST_HIDDEN_AUTO,        LOCKFAST_FORK_ABSENT,
                                              LOCKFAST_FREED_TRAP,    LOCKFAST_PLACEMENT_ISOLATED, LOCKFAST_CRASH_NONE};
constexpr lockfast_options drop_in_defaults = {LOCKFAST_LOCK_PREFERRED, LOCKFAST_HIDDEN_AUTO,        LOCKFAST_FORK_INHERIT,
                                               LOCKFAST_FREED_TRAP,     LOCKFAST_PLACEMENT_ISOLATED, LOCKFAST_CRASH_NONE};

pool* const every_pool[] = {&pool::native(), &pool::drop_in()};

// Guards the start of the pools and what the program configured.
constinit platform::mutex start_exclusion;
constinit lockfast_options configured = {};
constinit std::atomic<bool> process_started = false;
constinit bool crash_handled = false;

// Which arena of each pool this thread uses, given out in turn. Initial-exec: one word of static storage, read without a call.
constexpr unsigned no_arena = ~0U;
constinit std::atomic<unsigned> threads_seen = 0;
[[gnu::tls_model("initial-exec")]] constinit thread_local unsigned thread_arena = no_arena;

// What the number of pages that rest unused, ready for the next secrets, is measured by: 16 MiB, and no more than a quarter of
// what may be locked, so that the rest of the program is left its share.
std::size_t idle_pages() {
  constexpr std::size_t most_bytes = std::size_t{16} << 20;
  const std::size_t quarter = platform::lock_limit() / 4;
  return (quarter < most_bytes ? quarter : most_bytes) / platform::page_size();
}

platform::fork_policy fork_policy_of(lockfast_fork chosen) {
  switch (chosen) {
    case LOCKFAST_FORK_INHERIT: return platform::fork_policy::inherit;
    case LOCKFAST_FORK_WIPE: return platform::fork_policy::wipe;
    default: return platform::fork_policy::absent;
  }
}

}  // namespace

constinit pool pool::native_(native_defaults, breach_signal::abort);
constinit pool pool::drop_in_(drop_in_defaults, breach_signal::access_violation);

platform::error pool::configure(const lockfast_options& asked) {
  if (!valid(asked)) return EINVAL;
  const scoped_lock held(start_exclusion);
  for (const pool* const one : every_pool) {
    if (one->started_.load(std::memory_order_relaxed)) return EBUSY;
  }
  configured = asked;
  return 0;
}

lockfast_options pool::policy() const {
  lockfast_options from_environment = {};
  if (!parse(platform::options_variable(), from_environment)) end_process(breach::bad_options, breach_signal::abort);
  return merged(merged(configured, from_environment), defaults_);
}

// Requires start_exclusion.
void pool::start_process() {
  if (process_started.load(std::memory_order_relaxed)) return;
  platform::raise_lock_limit();
  process_started.store(true, std::memory_order_release);
}

platform::error pool::claim(void* address, std::size_t length) {
  if (!process_started.load(std::memory_order_acquire)) {
    const scoped_lock held(start_exclusion);
    start_process();
  }
  const auto refusal = ledger::of_process().claim(address, length);
  // The lock budget that idle pages hold may be all that is missing.
  if ((refusal != ENOMEM && refusal != EAGAIN) || trim() == 0) return refusal;
  return ledger::of_process().claim(address, length);
}

platform::error pool::disclaim(void* address, std::size_t length) { return ledger::of_process().disclaim(address, length); }

void pool::start() {
  const scoped_lock held(start_exclusion);
  if (started_.load(std::memory_order_relaxed)) return;
  start_process();
  options_ = policy();
  const isolated_arena::policy policy_of_each = {
      .lock = options_.lock == LOCKFAST_LOCK_REQUIRED ? span::lock_wanted::always : span::lock_wanted::if_possible,
      .fork = fork_policy_of(options_.fork),
      .trap_freed = options_.freed == LOCKFAST_FREED_TRAP,
      .idle_pages = idle_pages() / arena_count,
      .large_idle_pages = idle_pages() / 2,
      .signal = signal_,
      // No host offers hidden pages yet: a program that asks for them learns so from each receipt.
      .hide_error = options_.hidden == LOCKFAST_HIDDEN_OFF ? ECANCELED : ENOTSUP};
  for (isolated_arena& arena : isolated_) arena.start(policy_of_each);
  if (options_.crash == LOCKFAST_CRASH_WIPE && !crash_handled) {
    if (platform::on_fatal_signal(wipe_all) != 0) end_process(breach::no_crash_handler, signal_);
    crash_handled = true;
  }
  started_.store(true, std::memory_order_release);
}

void* pool::refuse(platform::error refusal) {
  refusals_.fetch_add(1, std::memory_order_relaxed);
  errno = refusal;
  return nullptr;
}

isolated_arena& pool::isolated_of_thread() {
  if (thread_arena == no_arena) thread_arena = threads_seen.fetch_add(1, std::memory_order_relaxed) % arena_count;
  return isolated_[thread_arena];
}

void* pool::allocate_isolated(std::size_t size, std::size_t alignment, int value) {
  ensure_started();
  if (size > isolated_arena::most_size || alignment > isolated_arena::most_alignment) return refuse(ENOMEM);
  isolated_arena& arena = isolated_of_thread();
  allocated made = arena.allocate(size, alignment, value);
  // The arena has given up what it keeps idle itself; the others may do.
  if (made.address == nullptr && trim() != 0) made = arena.allocate(size, alignment, value);
  return given(made);
}

void pool::deallocate(void* secret) {
  const auto found = region::find_secret(secret);
  if (found.in == nullptr) end_process(breach::foreign_pointer, signal_);
  if (found.at == nullptr) end_process(breach::inner_pointer, signal_);
  found.in->owner().deallocate(static_cast<const std::byte*>(secret), *found.at);
}

void* pool::reallocate(void* secret, std::size_t size) {
  const auto found = region::find_secret(secret);
  if (found.in == nullptr) end_process(breach::foreign_pointer, signal_);
  if (found.at == nullptr) end_process(breach::inner_pointer, signal_);
  if (size > isolated_arena::most_size) return refuse(ENOMEM);
  isolated_arena& arena = found.in->owner();
  auto moved = arena.reallocate(static_cast<const std::byte*>(secret), *found.at, size);
  if (moved.address == nullptr && trim() != 0) moved = arena.reallocate(static_cast<const std::byte*>(secret), *found.at, size);
  return given(moved);
}

platform::error pool::protect(void* secret, platform::access to) {
  const auto found = region::find_secret(secret);
  if (found.in == nullptr) end_process(breach::foreign_pointer, signal_);
  if (found.at == nullptr) end_process(breach::inner_pointer, signal_);
  return found.in->owner().protect(static_cast<const std::byte*>(secret), *found.at, to);
}

platform::error pool::check(const void* secret) {
  const auto found = region::find_secret(secret);
  if (found.at == nullptr) return EINVAL;
  return found.in->owner().check(static_cast<const std::byte*>(secret), *found.at);
}

platform::error pool::describe(const void* secret, lockfast_receipt& receipt) {
  const auto found = region::find_secret(secret);
  if (found.at == nullptr) return EINVAL;
  return found.in->owner().describe(static_cast<const std::byte*>(secret), *found.at, receipt);
}

bool pool::owns(const void* address) { return region::find_secret(address).in != nullptr; }

template <class Do>
void pool::for_each_arena(Do act) {
  for (pool* const one : every_pool) {
    for (isolated_arena& arena : one->isolated_) act(arena);
  }
}

std::size_t pool::audit() {
  std::size_t damaged = 0;
  for_each_arena([&](isolated_arena& arena) { damaged += arena.audit(); });
  return damaged;
}

std::size_t pool::trim() {
  std::size_t bytes = 0;
  for_each_arena([&](isolated_arena& arena) { bytes += arena.trim(); });
  return bytes;
}

void pool::statistics(struct lockfast_statistics& out) {
  out = {};
  for_each_arena([&](isolated_arena& arena) { arena.add_to(out); });
  for (const pool* const one : every_pool) out.refusals += one->refusals_.load(std::memory_order_relaxed);
  out.bytes_reserved += metadata::bytes_reserved();
  out.lock_limit = platform::lock_limit();
  out.maps_used = platform::maps_used();
  out.map_limit = platform::map_limit();
}

void pool::wipe_all() {
  for_each_arena([](isolated_arena& arena) { arena.wipe_on_signal(); });
}

// ---- Fork -------------------------------------------------------------------------------------------------------------------

// When the library is loaded, not when it starts: a fork that begins while another thread starts a pool must find the handlers
// registered, or its child would find the mutex held for ever.
void pool::register_fork_handlers() { platform::at_fork(before_fork, after_fork_in_parent, after_fork_in_child); }

namespace {

[[gnu::constructor]] void when_loaded() { pool::register_fork_handlers(); }

}  // namespace

void pool::before_fork() {
  start_exclusion.lock();
  for_each_arena([](isolated_arena& arena) { arena.before_fork(); });
  ledger::of_process().before_fork();
  region_map::exclusion().lock();
  metadata::exclusion().lock();
}

void pool::after_fork_in_parent() {
  metadata::exclusion().unlock();
  region_map::exclusion().unlock();
  ledger::of_process().after_fork_in_parent();
  for_each_arena([](isolated_arena& arena) { arena.after_fork_in_parent(); });
  start_exclusion.unlock();
}

// The child is alone: no mutex is needed while the arenas put themselves in order.
void pool::after_fork_in_child() {
  after_fork_in_parent();
  ledger::of_process().after_fork_in_child();
  for_each_arena([](isolated_arena& arena) { arena.after_fork_in_child(); });
}

}  // namespace lockfast::internal
