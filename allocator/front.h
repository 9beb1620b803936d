// front.h - the free slots that a thread keeps at hand, so that most allocations and releases touch nothing shared.
//
//    freed --> | newest ... resting ... | ready: oldest, one of them chosen at random | --> handed out
//                                            ^ more from the slab's list when none are ready, and back to it when full
//
// A freed slot rests until a quarter of what the ring holds was freed after it, unless a shortage leaves no other. Everything
// here is free, so wiped: a front holds no secret. It is bounded, and drained when its thread ends; its record then serves the
// next thread.
//
// Invariants
//   1. A slot is in one front, or waits in its slab, or is live.
//   2. tail - head slots are in the ring, at most its depth; the first to leave is at head.
//
// Threads: a front belongs to its thread; anyone may read frees().
#ifndef LOCKFAST_ALLOCATOR_FRONT_H
#define LOCKFAST_ALLOCATOR_FRONT_H

#include <atomic>
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
  static constexpr std::size_t most_depth = 64;
  static constexpr std::size_t least_depth = 4;

  // One that has neither slots nor room.
  constexpr front_list() = default;
  // Requires a depth of least_depth to most_depth.
  explicit front_list(std::size_t depth) : depth_(depth), resting_(depth / 4) {}

  [[nodiscard]] bool any_ready() const { return size() > resting_; }
  // A random ready slot; requires one, and a prepared choice.
  [[nodiscard]] slot_ref take_ready(random_choice& random) {
    const std::size_t head = head_;
    slot_ref& first = slots_[head % most_depth];
    slot_ref& chosen = slots_[(head + random.below_few(tail_ - head - resting_)) % most_depth];
    const slot_ref taken = chosen;
    chosen = first;
    head_ = head + 1;
    return taken;
  }

  [[nodiscard]] bool has_room() const { return size() != depth_; }
  // Puts a freed slot in; requires room.
  void rest(slot_ref freed) {
    const std::size_t tail = tail_;
    slots_[tail % most_depth] = freed;
    tail_ = tail + 1;
  }
  // How many rest() took since the record was made.
  [[nodiscard]] std::size_t frees() const { return tail_ - first_tail; }

  [[nodiscard]] std::size_t depth() const { return depth_; }
  [[nodiscard]] std::size_t size() const { return tail_ - head_; }
  // Puts a slot that has rested elsewhere in at the ready end; requires room.
  void add_ready(slot_ref one) { slots_[--head_ % most_depth] = one; }
  // The slot that has rested longest; requires one.
  [[nodiscard]] slot_ref take_oldest() { return slots_[head_++ % most_depth]; }

  // In a forked child, which sorts every slot anew.
  void forget() { head_ = tail_; }

 private:
  static constexpr std::size_t first_tail = std::size_t{1} << 16;

  std::size_t head_ = first_tail;
  relaxed<std::size_t> tail_ = first_tail;
  std::size_t depth_ = 0;
  std::size_t resting_ = 0;
  slot_ref slots_[most_depth] = {};
};

// What stands where a front has no list yet.
inline constinit front_list no_front_list;

class alignas(64) front {
 public:
  front();

  // Without slots or room until ensure_list().
  [[nodiscard]] front_list& list(std::size_t class_index) const { return *lists_[class_index].load(std::memory_order_relaxed); }
  // Null when there is no memory for it.
  [[nodiscard]] front_list* ensure_list(std::size_t class_index, std::size_t depth);

  // Slots that were freed into it, since the record was made.
  [[nodiscard]] std::uint64_t frees() const;

  random_choice random;
  front* next = nullptr;         // in the list of all records, which only grows
  front* next_unused = nullptr;  // in the list of those without a thread

  void forget_in_child();

 private:
  std::atomic<front_list*> lists_[size_class::count];  // written by the thread alone
};

// This thread's front in each family; null until its first use of it, and again once the thread ends. Initial-exec: a word of
// static storage each, read without a call.
inline constexpr std::size_t family_count = 2;
inline constexpr std::size_t no_family = 2;  // nobody has a front there
[[gnu::tls_model("initial-exec")]] extern constinit thread_local front* thread_fronts[family_count + 1];

}  // namespace lockfast::internal

#endif
