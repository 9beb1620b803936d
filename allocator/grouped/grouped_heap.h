// grouped_heap.h - a family's grouped secrets: each in a slot of a slab, beside others of its size.
//
//    thread's cache  <-- batches -->  an arena's list of slabs, by size class  <-- slabs -->  the family's space
//
// Invariants
//   1. No secret is handed out that is not in a slot wiped of its last tenant, between canaries, in pages that are locked,
//      unless the policy allows them to be unlocked; then its receipt has the reason.
//   2. Order of mutexes: thread_caches, a list's, the space's.
//
// Threads: everything, from any thread; start() and the functions for a forked child once, alone.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_GROUPED_HEAP_H
#define LOCKFAST_ALLOCATOR_GROUPED_GROUPED_HEAP_H

#include <lockfast/lockfast.h>

#include <atomic>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

#include "allocator/base/account.h"
#include "allocator/base/allocated.h"
#include "allocator/base/breach.h"
#include "allocator/pages/fork_copy.h"
#include "allocator/grouped/thread_cache.h"
#include "allocator/base/json_lines.h"
#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_bin.h"
#include "allocator/grouped/slab_heap.h"

namespace lockfast::internal {

class grouped_heap {
 public:
  static constexpr std::size_t arena_count = 4;
  static constexpr std::size_t max_alignment = 1024;
  static_assert(max_alignment <= slot::max_shift && size_class::max_capacity <= slot::max_slack);

  struct policy {
    platform::fork_policy fork = platform::fork_policy::absent;
    breach_signal signal = breach_signal::abort;
    bool lock_required = false;   // by the policy
    bool thread_caches = false;   // whether threads may have them
    std::size_t cache_bytes = 0;  // of each size class, that a thread may keep
    // A secret lies at a multiple of the largest power of two that divides its size, up to this.
    std::size_t natural_alignment = slab::alignment;
    platform::error hide_error = ECANCELED;  // why no secret of this family is to be hidden, or 0
    bool quarantine_holds = false;           // at a shortage
  };

  // family is the index of its thread_caches.
  constexpr explicit grouped_heap(std::uint8_t family) : family_(family) {}

  void start(const policy& chosen);

  // Whether a request is for this placement.
  [[nodiscard]] static bool takes(std::size_t size, std::size_t alignment) {
    return alignment <= max_alignment && size <= size_class::max_capacity - shift_room(alignment);
  }

  // A free slot for size bytes of what this thread has ready in a family; false when none is ready, or for more than slab::max_fast
  // (fast_path.h).
  [[nodiscard]] static bool take_ready(std::uint8_t family, std::size_t size, slot_ref& out);
  // A secret of any size, of zeros, from what this thread can make ready; null when there is nothing.
  [[nodiscard]] static std::byte* allocate_cached(std::uint8_t family, std::size_t size);
  // The same, each byte value, at a multiple of alignment, from wherever it can be had: from the arena by preference, with a growth
  // that allows more pages to be opened. Requires takes().
  [[nodiscard]] allocated allocate(std::size_t size, std::size_t alignment, int value, std::size_t arena,
                                   slab_bin::growth allowed);

  // The rest takes an address within a slab of any family's; one that is no live secret's is a breach where it says so.
  // Not of a compartment's, but of what is left of one in a forked child, or after a crash.
  void deallocate(slab& in, const std::byte* secret);  // breach
  // Frees one of a family's into this thread's cache; false, and nothing, when that has no room, the address is no live
  // secret's in sound canaries, or its slot is larger than slab::max_fast (fast_path.h).
  [[nodiscard]] static bool deallocate_fast(std::uint8_t family, std::byte* secret);
  // The same for every size, of a secret that was not moved to its alignment, and makes room.
  [[nodiscard]] static bool deallocate_cached(std::uint8_t family, std::byte* secret);
  // Where in its slab a live secret is, else a breach: of a double free, or of an interior pointer.
  [[nodiscard]] static std::size_t claim(const slab& in, const void* secret);
  // Sets the access of one secret of an arena's slab, as far as its pages are not shared with more open ones: 0 all the same, and
  // the receipt says whether it is in force. Else the system's errno.
  [[nodiscard]] platform::error protect(slab& in, const void* secret, platform::access to);  // breach
  // Opens a live secret of an arena's slab that was closed; what it was.
  static platform::access open(slab& in, std::size_t index);
  // EFAULT where a live secret of an arena's slab is damaged.
  [[nodiscard]] static platform::error check(slab& in, std::size_t index);
  // shared: the access of the compartment that the slab belongs to.
  [[nodiscard]] platform::error describe(const slab& in, const void* secret, std::optional<platform::access> shared, account by,
                                         lockfast_receipt& receipt) const;  // EINVAL

  // How many live secrets of the arenas are damaged.
  [[nodiscard]] std::size_t audit();
  // Gives back what this thread keeps at hand, then every empty slab; how many bytes.
  std::size_t trim(trimming why);
  void add_to(struct lockfast_statistics& out);
  // The same without a mutex, so that a signal handler may call it: what others change meanwhile may be counted or not.
  void look(struct lockfast_statistics& out) const;
  // Writes a line for each region, and one for each slab that has pages. Async-signal-safe.
  void draw(json_lines& out, std::string_view family, region::addresses shown) const;
  // Where something took the locks off: locks the arenas' slabs again.
  void renew_locks();
  void count_frees(std::uint64_t count) { other_frees_.fetch_add(static_cast<std::size_t>(count), std::memory_order_relaxed); }
  // Frees the secrets of a compartment that stayed with the parent of a fork.
  void forget_absent(const compartment& within);
  // For a signal handler: wipes every secret, whatever its access; those of a compartment's slab by wipe_in_compartment().
  // With after_wipe::closed they are absent from then on: false when the system would not close one. Then the same as for
  // isolated secrets.
  [[nodiscard]] bool wipe_on_signal(platform::after_wipe leaves, bool (*wipe_in_compartment)(slab& one));
  void close_absent();

  [[nodiscard]] slab_heap& space() { return space_; }
  [[nodiscard]] const policy& chosen() const { return policy_; }
  [[nodiscard]] std::uint8_t family() const { return family_; }

  // Gives up this thread's cache, at the thread's end.
  void drain_at_exit();

  // Calls act(slab, with) for each slab of a family's compartments while its pages can be written.
  using walk = void (*)(const grouped_heap& family, void (*act)(slab&, void*), void* with);
  // Copies what the child is to have, of every family, before any of them holds a mutex across the fork.
  void copy_for_child(walk of_compartments);
  void before_fork();
  void after_fork_in_parent();
  // Of every family, before the first is put in order: what the policy left in the parent has its address space again.
  void reserve_in_child() { space_.reserve_in_child(); }
  void unlock_in_child();
  void after_fork_in_child();

 private:
  // Room for moving a secret up to its alignment.
  [[nodiscard]] static constexpr std::size_t shift_room(std::size_t alignment) {
    return alignment > slab::alignment ? alignment - slab::alignment : 0;
  }
  [[nodiscard]] bool take_slot(slot_ref& out, std::size_t class_index, std::size_t arena, slab_bin::growth allowed,
                               platform::error& refusal);
  [[nodiscard]] std::size_t take_batch(slot_ref* out, std::size_t most, std::size_t class_index, std::size_t arena,
                                       slab_bin::growth allowed, platform::error& refusal);
  void deallocate_uncached(slab& in, std::size_t index);
  void keep(slot_ref freed);
  [[nodiscard]] std::size_t natural_alignment(std::size_t capacity) const;
  [[nodiscard]] std::size_t depth_of(std::size_t class_index) const;
  // This thread's cache; no_thread_cache when it can have none.
  [[nodiscard]] thread_cache& cache_of_thread();
  void place_copies_in_child();
  // Whether a thread cache has, or now makes, room for a slab's freed slot.
  [[nodiscard]] static bool make_room(thread_cache& mine, const slab& in);
  static void give_back(const slot_ref* freed, std::size_t count);
  // Gives a thread cache's slots back to their lists, those that rest too, or not.
  enum class rest : std::uint8_t { ends, stays };
  static void drain(cache_bin& drained, rest of_resting);
  static void drain(thread_cache& drained, rest of_resting);

  const std::uint8_t family_;
  policy policy_ = {};
  slab_heap space_;
  slab_bin lists_[arena_count][size_class::count];
  platform::mutex caches_mutex_;
  std::atomic<thread_cache*> caches_ = nullptr;
  thread_cache* unused_caches_ = nullptr;
  fork_copy copy_;
  std::atomic<std::size_t> other_frees_ = 0;  // beside those that the thread_caches count
};

inline std::size_t grouped_heap::claim(const slab& in, const void* secret) {
  const std::size_t index = in.index_of(secret);
  if (!in.holds(index, secret)) {
    end_process(in.held(index, secret) ? breach::double_free : breach::interior_pointer, in.signal);
  }
  return index;
}

}  // namespace lockfast::internal

#endif
