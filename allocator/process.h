// process.h - what concerns the secrets of every pool: the start, what the program and the environment ask for, walks over all
// secrets, a fork, a crash and the end.
//
// Invariant: before a fork, mutexes are taken in one order: start, the compartments' registry, each span heap's or slab heap's, hiding,
// ledger, region map, grants, metadata. Other code that holds two of these takes them in this order. A fork takes no other mutex: the
// child resets what the others guard.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_ALLOCATOR_PROCESS_H
#define LOCKFAST_ALLOCATOR_PROCESS_H

#include <lockfast/lockfast.h>

#include <atomic>
#include <cstddef>
#include <span>

#include "allocator/base/allocated.h"
#include "allocator/base/json_lines.h"
#include "allocator/ledger.h"
#include "allocator/options.h"
#include "allocator/pages/map_watch.h"
#include "allocator/pages/region.h"
#include "platform/platform.h"

namespace lockfast::internal {

class pool;

class process {
 public:
  // ---- The start ----

  // Sets what the program asks of every family: EBUSY once one has started, EINVAL for an invalid value.
  [[nodiscard]] static platform::error configure(const lockfast_options& asked);
  // The field that the last configure() refused, or null.
  [[nodiscard]] static const char* refused_option();
  // Starts a family, and the process with the first. Refused where the system has no random bytes for it.
  [[nodiscard]] static platform::error start(pool& family);
  // Called once, when the library is loaded.
  static void register_fork_handlers();

  // ---- Of the caller's own memory: the ledger's claims, under the process's raised lock limit ----

  [[nodiscard]] static platform::error claim(void* address, std::size_t length, ledger::out_of_dumps wanted);
  [[nodiscard]] static platform::error disclaim(void* address, std::size_t length);

  // ---- Of every secret ----

  [[nodiscard]] static std::size_t audit();
  // Gives idle pages back: how many bytes.
  static std::size_t trim(trimming why);
  // Seals closed secrets, where the policy allows it, trims, and gives the key of sealed secrets back where there are none: how many
  // bytes came back.
  static std::size_t seal_and_trim();
  // Seals the least recently closed secrets of every family until a few pages came back, or none can be sealed: how many bytes did.
  static std::size_t seal_some() { return seal(pages_at_once * platform::page_size()); }
  // The same for an isolated secret of so many bytes.
  static std::size_t seal_for(std::size_t size);
  static void statistics(struct lockfast_statistics& out);
  // Where something took the locks off: takes them again.
  static void renew_locks();
  static void wipe_all();

  // ---- For a report, which a signal handler may ask for: no mutex, and no question to the system that is not quick ----

  // The statistics of the pools themselves, and the most secrets that were live at once: no fewer than these, in each placement.
  struct peaks {
    std::size_t isolated;
    std::size_t grouped;
  };
  [[nodiscard]] static peaks look(struct lockfast_statistics& out);
  // How many claims were made, and how many refused, since the start.
  struct claim_counts {
    std::size_t made;
    std::size_t refused;
  };
  [[nodiscard]] static claim_counts claims();
  static void draw(json_lines& out, region::addresses shown);
  // Has the report know the options of a process in which no family has started; none where they are bad.
  static void settle_report();
  // Remembers what LOCKFAST_OPTIONS says of reports, for a program that empties its environment later.
  static void note_report_options();

  // ---- For fatal signals (platform::crash_calls) ----

  [[nodiscard]] static bool wipe_on_crash(platform::after_wipe leaves);
  [[nodiscard]] static bool show_wiped(const void* address);
  static void close_shown();
  // Whether a crash has been survived since the handlers were last looked at.
  [[nodiscard]] static bool has_survived() { return crash_survived_.load(std::memory_order_relaxed); }
  static void renew_crash_handler();

 private:
  // How many pages' worth of closed secrets are sealed before a refused request is tried again.
  static constexpr std::size_t pages_at_once = 16;

  static void count(struct lockfast_statistics& out);
  // Adds refusals, and the pages of keys, records and the allocator's own notes. Async-signal-safe.
  static void count_beside_arenas(struct lockfast_statistics& out);
  // seal_some() until so many bytes came back, at most so many secrets.
  static std::size_t seal(std::size_t bytes, std::size_t most = SIZE_MAX);
  // For the map_watch.
  [[nodiscard]] static std::size_t maps_of_runs();
  static void tell_room_for_maps(map_watch::room now);
  // What the program configured, and what LOCKFAST_OPTIONS says, whose report is in report_room. False where the latter is bad.
  [[nodiscard]] static bool asked(lockfast_options& out, options_fault& fault, std::span<char> report_room);
  // The same, merged with a family's defaults; ends the process where they are bad.
  [[nodiscard]] static lockfast_options policy_of(const pool& family, std::span<char> report_room);
  static void start_process();
  static void on_thread_exit();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  // Guards the start of the pools and what the program configured.
  inline static constinit platform::mutex start_mutex_;
  inline static std::atomic<bool> crash_survived_ = false;
};

}  // namespace lockfast::internal

#endif
