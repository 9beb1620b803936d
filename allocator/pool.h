// pool.h - a family of secrets: its arenas under one policy.
//
// Each family has a few arenas, for isolated secrets and for grouped ones, and each thread takes its secrets from one of them,
// so that threads seldom wait for one another.
//
// There are two families: native, behind lockfast_malloc, and the drop-in, behind sodium_malloc. Each has its defaults and
// its regions; a secret's address tells whose it is. Both start by themselves, at the first call. What concerns both is in process.h.
//
// Invariant: the policy does not change once the pool has started.
//
// Threads: everything, from any thread.
#ifndef LOCKFAST_ALLOCATOR_POOL_H
#define LOCKFAST_ALLOCATOR_POOL_H

#include <lockfast/lockfast.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <span>

#include "allocator/base/breach.h"
#include "allocator/compartment/compartment.h"
#include "allocator/grouped/fast_path.h"
#include "allocator/grouped/grouped_heap.h"
#include "allocator/isolated/isolated.h"

namespace lockfast::internal {

class pool {
 public:
  static constexpr std::size_t arena_count = grouped_heap::arena_count;

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
  // Both, by the number of their family.
  [[nodiscard]] static std::span<pool* const, family_count> all() { return all_; }

  // ---- Allocation ----

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

  // ---- For what concerns every pool ----

  // Starts it under these options, of which none is unset. Called once, by process::start(); threads_end: whether the host calls us
  // when a thread does.
  void start(const lockfast_options& options, bool threads_end);
  [[nodiscard]] bool has_started() const { return started_.load(std::memory_order_acquire); }
  // The policy in force; null while this family has not started.
  [[nodiscard]] const lockfast_options* options() const { return has_started() ? &options_ : nullptr; }
  [[nodiscard]] const lockfast_options& defaults() const { return defaults_; }
  [[nodiscard]] breach_signal signal() const { return signal_; }
  [[nodiscard]] std::size_t refusals() const { return refusals_.load(std::memory_order_relaxed); }
  // Its parts, each with a rule of its own for threads.
  [[nodiscard]] std::span<isolated_arena, arena_count> isolated() { return isolated_; }
  // Of pools that have started: one that another thread is starting has no secret.
  template <class Do>
  static void for_each_started(Do act) {
    for (pool* const one : all_) {
      if (one->has_started()) act(*one);
    }
  }
  template <class Do>
  static void for_each_arena(Do act) {
    for_each_started([&](pool& one) {
      for (isolated_arena& arena : one.isolated_) act(arena);
    });
  }
  [[nodiscard]] grouped_heap& grouped() { return grouped_; }
  [[nodiscard]] sealer& sealing() { return sealer_; }
  // Gives the key of sealed secrets back where there are none: how many bytes came back.
  std::size_t give_key_back();

 private:
  // The arena that this thread allocates from.
  [[nodiscard]] static std::size_t arena_of_thread();
  [[nodiscard]] static pool& pool_of(const slab& one) { return *all_[one.family]; }

  // dispatch() of an address that has to be a secret's: else a breach.
  template <class InSlab, class InSpan>
  auto require(const void* secret, InSlab in_slab, InSpan in_span) const;
  static void deallocate_grouped(slab& in, const std::byte* secret);
  [[nodiscard]] static platform::error check_grouped(slab& in, const void* secret);
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
  [[nodiscard]] allocated reallocate_isolated(span& at, const void* secret, std::size_t size);
  [[nodiscard]] allocated reallocate_grouped(slab& in, void* secret, std::size_t size);
  // The same, open for its length, where the secret has an access of its own.
  [[nodiscard]] allocated reallocate_with_access(slab& in, void* secret, std::size_t size);

  // Refused where the system has no random bytes for it: the next call tries again.
  [[nodiscard]] platform::error ensure_started();
  // A shortage is ENOMEM, whatever the system calls it.
  [[nodiscard]] void* address_or_errno(const allocated& made) {
    if (made.address != nullptr) return made.address;
    return refuse(is_shortage(made.refusal) ? ENOMEM : made.refusal);
  }

  static pool native_;
  static pool drop_in_;
  static pool* const all_[family_count];

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
