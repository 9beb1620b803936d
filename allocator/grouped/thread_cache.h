// thread_cache.h - the free slots that a thread keeps at hand, so that most allocations and releases touch nothing shared.
//
//    freed --> | newest ... resting ... | ready: oldest, one of them chosen at random | --> chosen --> handed out
//                                            ^ more from the slab's list when none are ready, and back to it when full
//
// What is handed out next is chosen when the one before it is handed out, so that an allocation does not wait to learn where
// its secret lies. A freed slot rests until a quarter of what the ring holds was freed after it, unless a shortage leaves no
// other. Everything here is free, so wiped: a thread cache holds no secret. It is bounded, and drained when its thread ends; its record
// then serves the next thread.
//
// Invariants
//   1. A slot is in one thread cache, or waits in its slab, or is live.
//   2. tail - head slots are in the ring, at most its depth; the first to leave is at head. The chosen slot is not one of them.
//
// Threads: a thread cache belongs to its thread; anyone may read frees().
#ifndef LOCKFAST_ALLOCATOR_GROUPED_THREAD_CACHE_H
#define LOCKFAST_ALLOCATOR_GROUPED_THREAD_CACHE_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/base/family.h"
#include "allocator/base/random.h"
#include "allocator/base/relaxed.h"
#include "allocator/grouped/size_class.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "platform/thread_local.h"

namespace lockfast::internal {

// The slots of one size class.
class cache_bin {
 public:
  static constexpr std::size_t max_depth = 64;
  static constexpr std::size_t min_depth = 4;

  // One that has neither slots nor room.
  constexpr cache_bin() = default;
  // Requires a depth of min_depth to max_depth.
  explicit cache_bin(std::size_t depth) : depth_(depth), resting_(depth / 4) {}

  [[nodiscard]] bool any_chosen() const { return chosen_.in != nullptr; }
  // What is handed out next; requires one chosen.
  [[nodiscard]] const slot_ref& chosen() const { return chosen_; }
  // Chooses a random ready slot in place of the one that was handed out; none when none is ready, or random is not prepared.
  void choose(random_choice& random) {
    const std::size_t head = head_;
    const std::size_t ready = tail_ - head;
    if (ready <= resting_ || !random.prepared()) [[unlikely]] {
      chosen_ = {};
      return;
    }
    slot_ref& first = slots_[head % max_depth];
    slot_ref& found = slots_[(head + random.below_few(ready - resting_)) % max_depth];
    chosen_ = found;
    found = first;
    head_ = head + 1;
  }

  [[nodiscard]] bool any_ready() const { return in_ring() > resting_; }
  [[nodiscard]] bool has_room() const { return in_ring() != depth_; }
  // Puts a freed slot in; requires room.
  void rest(slot_ref freed) {
    const std::size_t tail = tail_;
    slots_[tail % max_depth] = freed;
    tail_ = tail + 1;
  }
  // How many rest() took since the record was made.
  [[nodiscard]] std::size_t frees() const { return tail_ - first_tail; }

  [[nodiscard]] std::size_t depth() const { return depth_; }
  [[nodiscard]] bool is_empty() const { return in_ring() == 0 && !any_chosen(); }
  // Puts a slot that has rested elsewhere in at the ready end; requires room.
  void add_ready(slot_ref one) { slots_[--head_ % max_depth] = one; }
  // The slot that has rested longest, or the chosen one when there is no other; requires one.
  [[nodiscard]] slot_ref take_oldest() {
    if (in_ring() != 0) return slots_[head_++ % max_depth];
    const slot_ref last = chosen_;
    chosen_ = {};
    return last;
  }

  // In a forked child, which sorts every slot anew.
  void forget() {
    head_ = tail_;
    chosen_ = {};
  }

 private:
  static constexpr std::size_t first_tail = std::size_t{1} << 16;

  [[nodiscard]] std::size_t in_ring() const { return tail_ - head_; }

  slot_ref slots_[max_depth] = {};
  slot_ref chosen_ = {};
  std::size_t head_ = first_tail;
  relaxed<std::size_t> tail_ = first_tail;
  std::size_t depth_ = 0;
  std::size_t resting_ = 0;
};

// What stands where a thread cache has no list yet.
inline constinit cache_bin no_cache_bin;

class alignas(64) thread_cache {
 private:
  struct list_of_class {
    std::atomic<cache_bin*> at = &no_cache_bin;  // written by the thread, and by drop_lists()
  };
  list_of_class lists_[size_class::count];

 public:
  constexpr thread_cache() = default;

  // Without slots or room until ensure_list().
  [[nodiscard]] cache_bin& list(std::size_t class_index) const {
    return *lists_[class_index].at.load(std::memory_order_relaxed);
  }
  // Null when there is no memory for it, and of no_thread_cache.
  [[nodiscard]] cache_bin* ensure_list(std::size_t class_index, std::size_t depth);

  // Slots that were freed into it, since the record was made.
  [[nodiscard]] std::uint64_t frees() const;

  random_choice random;
  slab_region* recent = &slab_region::none();  // where this thread last freed a secret; it may be empty by now
  thread_cache* next = nullptr;                // in the list of all records, which only grows
  thread_cache* next_unused = nullptr;         // in the list of those without a thread

  void forget_in_child();
  // For a signal handler, in any thread: has the thread cache begin without bins; how many frees those had counted.
  std::uint64_t drop_lists();
};

// What a thread has that has no thread cache: one without slots or room.
extern constinit thread_cache no_thread_cache;

// This thread's cache in each family; no_thread_cache until its first use of it, and again once the thread ends.
LOCKFAST_OF_THREAD extern thread_cache* thread_caches[family_count];

}  // namespace lockfast::internal

#endif
