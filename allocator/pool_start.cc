// pool_start.cc - the two families: their defaults, what the program and the environment ask of them, their start
// and their end.
#include "allocator/pool.h"

#include <cerrno>
#include <cstring>

#include "allocator/base/random.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/ledger.h"
#include "allocator/options.h"
#include "allocator/policies.h"
#include "allocator/report.h"

namespace lockfast::internal {
namespace {

constexpr lockfast_options native_defaults = {.lock = LOCKFAST_LOCK_REQUIRED,
                                              .hidden = LOCKFAST_HIDDEN_AUTO,
                                              .fork = LOCKFAST_FORK_ABSENT,
                                              .freed = LOCKFAST_FREED_TRAP,
                                              .placement = LOCKFAST_PLACEMENT_ISOLATED,
                                              .crash = LOCKFAST_CRASH_NONE,
                                              .native_placement = LOCKFAST_PLACEMENT_GROUPED,
                                              .notice = LOCKFAST_NOTICE_NONE,
                                              .quarantine = LOCKFAST_QUARANTINE_YIELD,
                                              .environment = LOCKFAST_ENVIRONMENT_READ,
                                              .rest = LOCKFAST_REST_AUTO,
                                              .report_map = LOCKFAST_REPORT_MAP_OFF,
                                              .report_addresses = LOCKFAST_REPORT_ADDRESSES_OFF,
                                              .report = nullptr,
                                              .idle = LOCKFAST_IDLE_AUTO,
                                              .reserved = {}};
constexpr lockfast_options drop_in_defaults = [] {
  lockfast_options options = native_defaults;
  options.lock = LOCKFAST_LOCK_PREFERRED;
  options.fork = LOCKFAST_FORK_INHERIT;
  return options;
}();

// Under start_mutex_: what the program asked for.
constinit lockfast_options configured = {};
constinit char configured_report[report::max_destination] = {};
constinit std::atomic<bool> process_started = false;
constinit bool crash_handled = false;
// Of the last lockfast_configure: the name of a field.
constinit std::atomic<const char*> option_refused = nullptr;
// Whether the host calls us when a thread ends: without that, no thread may keep anything.
constinit bool thread_exits_known = false;

}  // namespace

constinit pool pool::native_(0, native_defaults, breach_signal::abort);
constinit pool pool::drop_in_(1, drop_in_defaults, breach_signal::access_violation);
constinit pool* const pool::every_[] = {&native_, &drop_in_};

platform::error pool::configure(const lockfast_options& asked) {
  const char* const invalid = invalid_field(asked);
  option_refused.store(invalid, std::memory_order_relaxed);
  if (invalid != nullptr) return EINVAL;
  const scoped_lock held(start_mutex_);
  for (const pool* const one : every_) {
    if (one->started_.load(std::memory_order_relaxed)) return EBUSY;
  }
  configured = asked;
  if (asked.report != nullptr) {
    std::memcpy(configured_report, asked.report, std::strlen(asked.report) + 1);  // which has room: invalid_field
    configured.report = configured_report;
  }
  return 0;
}

const char* pool::refused_option() { return option_refused.load(std::memory_order_relaxed); }

bool pool::asked(lockfast_options& out, options_fault& fault, std::span<char> report_room) {
  lockfast_options from_environment = {};
  const bool reads = configured.environment != LOCKFAST_ENVIRONMENT_IGNORED;
  const bool read = parse(reads ? platform::options_variable() : nullptr, from_environment, fault, report_room);
  out = merged(configured, from_environment);
  return read;
}

void pool::settle_report() {
  char room[report::max_destination];
  lockfast_options options = {};
  options_fault fault;
  if (asked(options, fault, room)) report::settle(options);
}

lockfast_options pool::policy(std::span<char> report_room) const {
  lockfast_options options = {};
  options_fault fault;
  if (!asked(options, fault, report_room)) end_process(breach::bad_options, fault.text(), breach_signal::abort);
  return merged(options, defaults_);
}

// Requires start_mutex_.
void pool::start_process() {
  if (process_started.load(std::memory_order_relaxed)) return;
  platform::raise_lock_limit();
  thread_exits_known = platform::at_thread_exit(on_thread_exit) == 0;
  process_started.store(true, std::memory_order_release);
}

platform::error pool::claim(void* address, std::size_t length, ledger::out_of_dumps wanted) {
  if (!process_started.load(std::memory_order_acquire)) {
    const scoped_lock held(start_mutex_);
    start_process();
  }
  const auto refusal = ledger::of_process().claim(address, length, wanted);
  // The lock budget that idle pages hold may be all that is missing.
  if ((refusal != ENOMEM && refusal != EAGAIN) || trim(trimming::shortage) + seal(length) == 0) return refusal;
  return ledger::of_process().claim(address, length, wanted);
}

platform::error pool::disclaim(void* address, std::size_t length) { return ledger::of_process().disclaim(address, length); }

platform::error pool::start() {
  const scoped_lock held(start_mutex_);
  if (started_.load(std::memory_order_relaxed)) return 0;
  if (const auto refusal = keep_seed(); refusal != 0) return refusal;
  start_process();
  char report_room[report::max_destination];
  options_ = policy(report_room);
  report::settle(options_);
  options_.report = nullptr;  // which was on this stack
  policies chosen = policies_of(options_, signal_, arena_count, thread_exits_known);
  // What is built for libsodium counts on this, up to a cache line, which is the widest vector too.
  if (grouped_.family() == drop_in_family) chosen.of_grouped.natural_alignment = 64;
  sealer_.start(chosen.sealed_when, chosen.of_isolated.fork, chosen.of_isolated.hide_error, chosen.max_wiped_runs);
  if (chosen.sealed_when != sealer::when::never) {
    chosen.of_isolated.rest = &sealer_;
    map_watch::start({maps_of_runs, tell_room_for_maps});
  }
  for (isolated_arena& arena : isolated_) arena.start(chosen.of_isolated);
  grouped_.start(chosen.of_grouped);
  if (options_.crash == LOCKFAST_CRASH_WIPE && !crash_handled) {
    if (platform::on_fatal_signal({wipe_on_crash, show_wiped, close_shown}) != 0)
      end_process(breach::no_crash_handler, signal_);
    crash_handled = true;
  }
  groups_at_once_ = options_.placement == LOCKFAST_PLACEMENT_GROUPED && options_.notice == LOCKFAST_NOTICE_NONE;
  started_.store(true, std::memory_order_release);
  return 0;
}

namespace {

// The first priority that is not the implementation's: in a program that is linked statically, before the constructors of its
// own objects, which may hold secrets and register handlers of their own. Those then run outside ours: before them in front of
// a fork, behind them in the child.
constexpr int first_priority = 101;

[[gnu::constructor(first_priority)]] void when_loaded() {
  platform::stay_loaded();
  pool::register_fork_handlers();
}

// At a normal exit, behind the program's own handlers and destructors, which may use their secrets; and at dlclose.
[[gnu::destructor(first_priority)]] void when_unloaded() {
  report::write_at_exit();
  if (crash_handled) platform::call_last(pool::wipe_all);
}

}  // namespace

}  // namespace lockfast::internal
