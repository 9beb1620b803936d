// process_start.cc - what the program and the environment ask for, the start of the process and of a family, claims, and the end.
#include "allocator/process.h"

#include <cerrno>
#include <cstring>

#include "allocator/base/random.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/ledger.h"
#include "allocator/options.h"
#include "allocator/pool.h"
#include "allocator/report.h"
#include "platform/access_checker.h"

namespace lockfast::internal {
namespace {

// Under start_mutex_: what the program asked for.
constinit lockfast_options configured = {};
constinit char configured_report[report::max_destination] = {};
// What LOCKFAST_OPTIONS said of reports when the library was loaded.
constinit lockfast_options loaded_with = {};
constinit char loaded_report[report::max_destination] = {};
constinit std::atomic<bool> process_started = false;
constinit bool crash_handled = false;
// Of the last lockfast_configure: the name of a field.
constinit std::atomic<const char*> option_refused = nullptr;
// Whether the host calls us when a thread ends: without that, no thread may keep anything.
constinit bool thread_exits_known = false;
constinit std::atomic<std::size_t> claims_made = 0;
constinit std::atomic<std::size_t> claims_refused = 0;

}  // namespace

platform::error process::configure(const lockfast_options& asked) {
  const char* const invalid = invalid_field(asked);
  option_refused.store(invalid, std::memory_order_relaxed);
  if (invalid != nullptr) return EINVAL;
  const scoped_lock held(start_mutex_);
  for (pool* const one : pool::all()) {
    if (one->has_started()) return EBUSY;
  }
  configured = asked;
  if (asked.report != nullptr) {
    std::memcpy(configured_report, asked.report, std::strlen(asked.report) + 1);  // which has room: invalid_field
    configured.report = configured_report;
  }
  return 0;
}

const char* process::refused_option() { return option_refused.load(std::memory_order_relaxed); }

bool process::asked(lockfast_options& out, options_fault& fault, std::span<char> report_room) {
  lockfast_options from_environment = {};
  const bool reads = configured.environment != LOCKFAST_ENVIRONMENT_IGNORED;
  const char* const text = reads ? platform::options_variable() : nullptr;
  const bool read = parse(text, from_environment, fault, report_room);
  // A program may empty its environment before it exits, as PHP does: the report is written all the same.
  out = merged(configured, reads && text == nullptr ? loaded_with : from_environment);
  return read;
}

void process::note_report_options() {
  lockfast_options options = {};
  options_fault ignored;  // the first allocation tells of it
  if (!parse(platform::options_variable(), options, ignored, loaded_report)) return;
  loaded_with.report = options.report;
  loaded_with.report_map = options.report_map;
  loaded_with.report_addresses = options.report_addresses;
}

void process::settle_report() {
  char room[report::max_destination];
  lockfast_options options = {};
  options_fault fault;
  if (asked(options, fault, room)) report::settle(options);
}

lockfast_options process::policy_of(const pool& family, std::span<char> report_room) {
  lockfast_options options = {};
  options_fault fault;
  if (!asked(options, fault, report_room)) end_process(breach::bad_options, fault.text(), breach_signal::abort);
  return merged(options, family.defaults());
}

void process::on_thread_exit() {
  compartment::close_at_exit();
  for (pool* const one : pool::all()) one->grouped().drain_at_exit();
}

// Requires start_mutex_.
void process::start_process() {
  if (process_started.load(std::memory_order_relaxed)) return;
  platform::raise_lock_limit();
  platform::find_access_checker();
  thread_exits_known = platform::at_thread_exit(on_thread_exit) == 0;
  process_started.store(true, std::memory_order_release);
}

platform::error process::claim(void* address, std::size_t length, ledger::out_of_dumps wanted) {
  if (!process_started.load(std::memory_order_acquire)) {
    const scoped_lock held(start_mutex_);
    start_process();
  }
  auto refusal = ledger::of_process().claim(address, length, wanted);
  // The lock budget that idle pages hold may be all that is missing.
  if ((refusal == ENOMEM || refusal == EAGAIN) && trim(trimming::shortage) + seal(length) != 0) {
    refusal = ledger::of_process().claim(address, length, wanted);
  }
  (refusal == 0 ? claims_made : claims_refused).fetch_add(1, std::memory_order_relaxed);
  return refusal;
}

process::claim_counts process::claims() {
  return {claims_made.load(std::memory_order_relaxed), claims_refused.load(std::memory_order_relaxed)};
}

platform::error process::disclaim(void* address, std::size_t length) { return ledger::of_process().disclaim(address, length); }

platform::error process::start(pool& family) {
  const scoped_lock held(start_mutex_);
  if (family.has_started()) return 0;
  if (const auto refusal = keep_seed(); refusal != 0) return refusal;
  start_process();
  char report_room[report::max_destination];
  lockfast_options options = policy_of(family, report_room);
  report::settle(options);
  options.report = nullptr;  // which was on this stack
  if (options.rest != LOCKFAST_REST_KEEP) map_watch::start({maps_of_runs, tell_room_for_maps});
  if (options.crash == LOCKFAST_CRASH_WIPE && !crash_handled) {
    if (platform::on_fatal_signal({wipe_on_crash, show_wiped, close_shown}) != 0)
      end_process(breach::no_crash_handler, family.signal());
    crash_handled = true;
  }
  family.start(options, thread_exits_known);
  return 0;
}

namespace {

// The first priority that is not the implementation's: in a program that is linked statically, before the constructors of its
// own objects, which may hold secrets and register handlers of their own. Those then run outside ours: before them in front of
// a fork, behind them in the child.
constexpr int first_priority = 101;

[[gnu::constructor(first_priority)]] void when_loaded() {
  platform::stay_loaded();
  process::note_report_options();
  process::register_fork_handlers();
}

// At a normal exit, behind the program's own handlers and destructors, which may use their secrets; and at dlclose.
[[gnu::destructor(first_priority)]] void when_unloaded() {
  report::write_at_exit();
  if (crash_handled) platform::call_last(process::wipe_all);
}

}  // namespace

}  // namespace lockfast::internal
