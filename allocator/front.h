// front.h - the free slots that a thread keeps at hand, so that most allocations and releases touch nothing shared.
//
//    freed --> quarantine (first in, first out) --> ready (chosen at random) --> handed out
//                 | full, and no room among the ready         ^ empty
//                 v                                           |
//               the slab's list  -----------------------------+
//
// A freed slot rests behind at least half of the quarantine's depth of other freed ones before it is ready, unless a shortage
// leaves no other. Everything here is free, so wiped: a front holds no secret. It is bounded, and drained when its thread ends;
// its record then serves the next thread.
//
// Invariants
//   1. A slot is in one front, or waits in its slab, or is live.
//   2. depth, 2 to most_depth, bounds the ready and the quarantined each.
//
// Threads: a front belongs to its thread.
#ifndef LOCKFAST_ALLOCATOR_FRONT_H
#define LOCKFAST_ALLOCATOR_FRONT_H

#include <cstddef>
#include <cstdint>

#include "allocator/random.h"
#include "allocator/relaxed.h"
#include "allocator/size_class.h"
#include "allocator/slab.h"

namespace lockfast::internal {

// The slots of one size class.
class front_list {
 public:
  static constexpr std::uint32_t most_depth = 32;

  explicit front_list(std::uint32_t depth) : depth_(depth) {}

  [[nodiscard]] bool any_ready() const { return ready_count_ != 0; }
  // A random ready slot; requires one.
  [[nodiscard]] slot_ref take_ready(random_choice& random) {
    const std::size_t chosen = random.below_few(ready_count_);
    const slot_ref taken = ready_[chosen];
    ready_[chosen] = ready_[--ready_count_];
    return taken;
  }
  [[nodiscard]] bool has_room() const { return resting_count_ != depth_; }
  // Puts a freed slot into quarantine; requires room.
  void rest(slot_ref freed) { resting_[(oldest_ + resting_count_++) % most_depth] = freed; }

  [[nodiscard]] std::uint32_t depth() const { return depth_; }
  // Room for newly ready slots.
  [[nodiscard]] std::uint32_t room() const { return depth_ - ready_count_; }
  void add_ready(slot_ref one) { ready_[ready_count_++] = one; }

  // Moves slots out of quarantine, oldest first: all but `kept`, as far as there is room.
  void release_rested(std::uint32_t kept) {
    while (resting_count_ > kept && ready_count_ != depth_) add_ready(leave_quarantine());
  }
  [[nodiscard]] std::uint32_t resting_count() const { return resting_count_; }
  // The slot that has rested longest; requires one.
  [[nodiscard]] slot_ref leave_quarantine() {
    const slot_ref left = resting_[oldest_];
    oldest_ = (oldest_ + 1) % most_depth;
    --resting_count_;
    return left;
  }
  // The last of the ready; requires one.
  [[nodiscard]] slot_ref give_up_ready() { return ready_[--ready_count_]; }

  // In a forked child, which sorts every slot anew.
  void forget() { ready_count_ = resting_count_ = oldest_ = 0; }

 private:
  std::uint32_t ready_count_ = 0;
  std::uint32_t resting_count_ = 0;
  std::uint32_t oldest_ = 0;
  std::uint32_t depth_;
  slot_ref ready_[most_depth];
  slot_ref resting_[most_depth];
};

class alignas(64) front {
 public:
  // Null until ensure_list().
  [[nodiscard]] front_list* list(std::size_t class_index) const { return lists_[class_index]; }
  // Null when there is no memory for it.
  [[nodiscard]] front_list* ensure_list(std::size_t class_index, std::uint32_t depth);

  void count_free() { frees_ = frees_ + 1; }
  // Since the record was made.
  [[nodiscard]] std::uint64_t frees() const { return frees_; }

  random_choice random;
  front* next = nullptr;         // in the list of all records, which only grows
  front* next_unused = nullptr;  // in the list of those without a thread

  void forget_in_child();

 private:
  front_list* lists_[size_class::count] = {};
  relaxed<std::uint64_t> frees_;
};

// This thread's front in each family; null until its first use of it, and again once the thread ends. Initial-exec: a word of
// static storage each, read without a call.
inline constexpr std::size_t family_count = 2;
[[gnu::tls_model("initial-exec")]] extern constinit thread_local front* thread_fronts[family_count];

}  // namespace lockfast::internal

#endif
