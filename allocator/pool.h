// pool.h - a family's arenas under one policy, and what all families of a process share.
//
// Each family has a few arenas, for isolated secrets and for grouped ones, and each thread takes its secrets from one of them,
// so that threads seldom wait for one another.
//
// There are two families: native, behind lockfast_malloc, and the drop-in, behind sodium_malloc. Each has its defaults and
// its regions; a secret's address tells whose it is. Both start by themselves, at the first call.
//
// Invariants
//   1. The policy does not change once the pool has started.
//   2. Before a fork, mutexes are taken in one order: start, the compartments' registry, each arena's or space's growth, hiding,
//      ledger, region map, grants, metadata. Whoever holds two elsewhere took them in this order; the others' are not taken for
//      a fork, and a child begins what they guard anew.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_ALLOCATOR_POOL_H
#define LOCKFAST_ALLOCATOR_POOL_H

#include <lockfast/lockfast.h>

#include <atomic>
#include <cstddef>

#include "allocator/base/breach.h"
#include "allocator/compartment/compartment.h"
#include "allocator/grouped/grouped_heap.h"
#include "allocator/isolated/isolated.h"
#include "allocator/base/json_lines.h"
#include "allocator/ledger.h"
#include "allocator/options.h"
#include "allocator/pages/map_watch.h"
#include "allocator/pages/region.h"
#include "allocator/grouped/fast_path.h"
#include "allocator/grouped/slab_region.h"

namespace lockfast::internal {

class pool {
 public:
  // What a family does where neither the program nor LOCKFAST_OPTIONS says otherwise.
  constexpr pool(std::uint8_t family, const lockfast_options& defaults, breach_signal signal)
      : defaults_(defaults), signal_(signal), grouped_(family) {}

  [[nodiscard]] static pool& native() { return native_; }
  [[nodiscard]] static pool& drop_in() { return drop_in_; }
  // A family's, by a number that the paths which are run most know without reading it.
  template <std::uint8_t family>
  [[nodiscard]] static pool& of() {
    return family == native_family ? native_ : drop_in_;
  }

  // Sets what the program asks of every family: EBUSY once one has started, EINVAL for an invalid value.
  [[nodiscard]] static platform::error configure(const lockfast_options& asked);
  // The field that the last configure() refused, or null.
  [[nodiscard]] static const char* refused_option();

  // A secret of zeros in whichever placement suits it; null, with errno, when it is refused. errno is left alone otherwise.
  template <std::uint8_t family>
  [[nodiscard]] static void* allocate(std::size_t size) {
    slot_ref ready;
    if (!grouped_heap::take_ready(family, size, ready)) [[unlikely]]
      return allocate_slow<family>(size);
    return ready.in->occupy_fast(ready.index, size);
  }
  template <std::uint8_t family>
  [[nodiscard]] static void* allocate_slow(std::size_t size);
  // The same, each of its bytes value.
  [[nodiscard]] void* allocate_anywhere(std::size_t size, std::size_t alignment, int value);
  // The same, in the placement that the drop-in's policy says.
  [[nodiscard]] static void* allocate_for_drop_in(std::size_t size, int value);
  [[nodiscard]] void* allocate_as_chosen(std::size_t size, int value);
  [[nodiscard]] void* allocate_grouped(std::size_t size, int value);
  // The same, in pages of its own.
  [[nodiscard]] void* allocate_isolated(std::size_t size, std::size_t alignment, int value);
  // Counts a request that was refused before it came to the pages; null, with errno.
  void* refuse(platform::error refusal);

  // ---- Of whichever pool the secret is in. A pointer that no pool knows is a breach under this pool's signal, or EINVAL.

  template <std::uint8_t family>
  static void deallocate(void* secret) {
    if (!grouped_heap::deallocate_fast(family, static_cast<std::byte*>(secret))) deallocate_slow<family>(secret);
  }
  template <std::uint8_t family>
  static void deallocate_slow(void* secret);
  void deallocate_anywhere(void* secret);
  [[nodiscard]] void* reallocate(void* secret, std::size_t size);
  [[nodiscard]] platform::error protect(void* secret, platform::access to);
  [[nodiscard]] platform::error change_access(void* secret, platform::access to);
  [[nodiscard]] static platform::error check(const void* secret);
  // The receipt by the system's word where it tells what is locked, else by what was written down.
  [[nodiscard]] static platform::error describe(const void* secret, account by, lockfast_receipt& receipt);
  // Whether the address lies in any pool.
  [[nodiscard]] static bool owns(const void* address);

  // ---- Compartments, of this pool's secrets ----

  [[nodiscard]] compartment* make_compartment();
  [[nodiscard]] void* allocate_in(compartment& within, std::size_t size, int value);

  // ---- Of the caller's own memory: the ledger's claims, under the process's raised lock limit ----

  [[nodiscard]] static platform::error claim(void* address, std::size_t length, ledger::out_of_dumps wanted);
  [[nodiscard]] static platform::error disclaim(void* address, std::size_t length);

  // Called once, when the library is loaded.
  static void register_fork_handlers();

  // ---- Of every pool ----

  [[nodiscard]] static std::size_t audit();
  static std::size_t trim(trimming why);
  // Seals closed secrets, where the policy allows it, trims, and gives the key of sealed secrets back where there are none: how many
  // bytes came back.
  static std::size_t seal_and_trim();
  static void statistics(struct lockfast_statistics& out);

  // ---- For a report, which a signal handler may ask for: no mutex, and no question to the system that is not quick ----

  // The statistics of the pools themselves, and the most secrets that were live at once: no fewer than these, in each placement.
  struct peaks {
    std::size_t isolated;
    std::size_t grouped;
  };
  [[nodiscard]] static peaks look(struct lockfast_statistics& out);
  // The policy in force; null while this family has not started.
  [[nodiscard]] const lockfast_options* options() const {
    return started_.load(std::memory_order_acquire) ? &options_ : nullptr;
  }
  static void draw(json_lines& out, region::addresses shown);
  // Has the report know the options of a process in which no family has started; none where they are bad.
  static void settle_report();

  // Where something took the locks off: takes them again.
  static void renew_locks();
  static void wipe_all();

  // ---- For fatal signals (platform::crash_calls) ----

  [[nodiscard]] static bool wipe_on_crash(platform::after_wipe leaves);
  [[nodiscard]] static bool show_wiped(const void* address);
  static void close_shown();

 private:
  static void count(struct lockfast_statistics& out);

  static constexpr std::size_t arena_count = grouped_heap::arena_count;

  // The arena that this thread allocates from.
  [[nodiscard]] static std::size_t arena_of_thread();
  // The slab that holds an address in a region of slabs, and the pool that it belongs to.
  [[nodiscard]] static slab* slab_at(region& in, const void* address) { return static_cast<slab_region&>(in).at(address); }
  [[nodiscard]] static pool& pool_of(const slab& one);

  [[nodiscard]] static platform::error describe_as(const void* secret, account by, lockfast_receipt& receipt);
  // Tells, where the policy asks for it, what a secret of the drop-in did not get.
  void notice(const void* secret) const;
  [[nodiscard]] allocated make(std::size_t size, std::size_t alignment, int value);
  [[nodiscard]] allocated make_isolated(std::size_t size, std::size_t alignment, int value);
  // Calls attempt(growth), once more after giving idle pages back, and once more without a lock where the policy allows it.
  template <class Attempt>
  [[nodiscard]] allocated allocate_or_trim(Attempt attempt) const;
  // Whether none of a pool's isolated secrets is live, so that none of its sealed records is either.
  [[nodiscard]] static bool has_no_isolated(void* of);
  // Seals the least recently closed secrets of every family, at most so many, until so many bytes came back, or none can be sealed:
  // how many bytes did.
  static std::size_t seal(std::size_t bytes, std::size_t most = SIZE_MAX);
  // How many pages' worth of closed secrets are sealed before a refused request is tried again.
  static constexpr std::size_t pages_at_once = 16;
  // The same for an isolated secret of so many bytes.
  static std::size_t seal_for(std::size_t size);
  // For the map_watch.
  [[nodiscard]] static std::size_t maps_of_runs();
  static void tell_room_for_maps(map_watch::room now);
  [[nodiscard]] allocated reallocate_grouped(slab& in, void* secret, std::size_t size);
  // The same, open for its length, where the secret has an access of its own.
  [[nodiscard]] allocated reallocate_with_access(slab& in, void* secret, std::size_t size);
  // The region that an address of ours lies in; else a breach.
  [[nodiscard]] region& require_region(const void* secret) const;
  [[nodiscard]] span& require_span(region& in, const void* secret) const;

  template <class Do>
  static void for_each_arena(Do act) {
    for (pool* const one : every_) {
      for (isolated_arena& arena : one->isolated_) act(arena);
    }
  }

  // Refused where the system has no random bytes for it: the next call tries again.
  [[nodiscard]] platform::error start();
  [[nodiscard]] platform::error ensure_started() {
    if (!started_.load(std::memory_order_acquire)) {
      if (const auto refusal = start(); refusal != 0) return refusal;
    }
    if (crash_survived_.load(std::memory_order_relaxed)) renew_crash_handler();
    return 0;
  }
  static void renew_crash_handler();
  [[nodiscard]] void* address_or_errno(const allocated& made) {
    return made.address != nullptr ? made.address : refuse(made.refusal);
  }
  [[nodiscard]] lockfast_options policy(std::span<char> report_room) const;

  static void start_process();
  static void on_thread_exit();
  static void before_fork();
  static void after_fork_in_parent();
  static void after_fork_in_child();

  // Guards the start of the pools and what the program configured.
  inline static constinit platform::mutex start_mutex_;
  // What the program configured, and what LOCKFAST_OPTIONS says, whose report is in report_room. False where the latter is bad.
  [[nodiscard]] static bool asked(lockfast_options& out, options_fault& fault, std::span<char> report_room);

  // Whether a crash has been survived since the handlers were last looked at.
  inline static std::atomic<bool> crash_survived_ = false;
  static pool native_;
  static pool drop_in_;
  static pool* const every_[family_count];  // by the number of their family

  lockfast_options defaults_;
  breach_signal signal_;
  std::atomic<bool> started_ = false;
  lockfast_options options_ = {};
  bool groups_at_once_ = false;  // the drop-in: grouped, and nothing is to be told
  grouped_heap grouped_;
  sealer sealer_;
  isolated_arena isolated_[arena_count];
  std::atomic<std::size_t> refusals_ = 0;
};

}  // namespace lockfast::internal

#endif
