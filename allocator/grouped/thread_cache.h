// thread_cache.h - the free slots that a thread keeps, so that most allocations and releases touch nothing shared.
//
//    freed --> | newest ... resting ... | rested |      a ring
//                                           |
//                                           v  each in the place of one chosen at random
//                                         pool --> | ready, in order | --> handed out
//
// A freed slot rests until a quarter of what the bin may hold was freed after it, unless a shortage leaves no other. When no slot
// is ready, all those that have rested are moved on at once: each into the pool, in the place of a slot chosen at random there,
// which becomes ready. So every slot that is handed out was drawn from the whole pool, and an allocation neither draws nor waits
// to learn where its secret lies. Everything here is free, so wiped: a thread cache holds no secret. It is bounded, and drained
// when its thread ends; its record then serves the next thread.
//
// Invariants
//   1. A slot is in one thread cache, or waits in its slab, or is live.
//   2. in_ring() + pool_count_ + ready_count() <= depth. The ring has one position more than a bin's depth, so it is never full.
//   3. Freed slots go from tail_ to room_end_, which does not lie beyond the ring's end: there, make_room() finds more.
//
// Threads: a thread cache belongs to its thread; anyone may read frees().
#ifndef LOCKFAST_ALLOCATOR_GROUPED_THREAD_CACHE_H
#define LOCKFAST_ALLOCATOR_GROUPED_THREAD_CACHE_H

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>

#include "allocator/base/family.h"
#include "allocator/base/random.h"
#include "allocator/base/relaxed.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "platform/thread_local.h"

namespace lockfast::internal {

// The slots of one size class.
class cache_bin {
 public:
  static constexpr std::size_t max_depth = 192;
  static constexpr std::size_t min_depth = 4;
  static constexpr std::size_t max_batch = 96;  // what a caller has room for on its stack

  // One that has neither slots nor room.
  constexpr cache_bin() = default;
  // Requires a depth of min_depth to max_depth.
  explicit cache_bin(std::size_t depth) : depth_(depth), resting_(depth / 4) {}

  // ---- What a warm pair calls (fast_path.h) ----

  // The next ready slot; false if none is ready.
  [[nodiscard]] bool take(slot_ref& out);
  [[nodiscard]] bool has_room() const { return tail_ != room_end_; }
  // Puts a freed slot in; requires room.
  void rest(const slot_ref& freed);

  // ---- What is done when no slot is ready ----

  // Makes slots ready that have rested; false if none has, beside those of the pool. Requires that none is ready.
  [[nodiscard]] bool make_ready(random_choice& random);
  // How many slots to add: at most max_batch; none where three quarters of what the bin may hold are there.
  [[nodiscard]] std::size_t wanted() const {
    const std::size_t full = depth_ - depth_ / 4;
    const std::size_t missing = held() < full ? full - held() : 0;
    return missing < max_batch ? missing : max_batch;
  }
  // Whether so few are ready or can be made so that every few allocations would come here, and that was not asked since a depth of
  // frees: more may not be had. note_asked() says that it is asked now.
  [[nodiscard]] bool wants_more() const {
    return ready_count() + rested_in_ring() < depth_ / 4 && frees() - asked_at_ >= depth_ && wanted() != 0;
  }
  void note_asked() { asked_at_ = frees(); }
  // Adds slots that have rested elsewhere, wanted() at most.
  void add(const slot_ref* rested, std::size_t count);
  // One of the pool, chosen at random; otherwise the slot that has rested longest. Requires that there is one.
  [[nodiscard]] slot_ref take_at_shortage(random_choice& random);

  // ---- At any time ----

  // Makes room for freed slots; false if the bin holds about as many as it may: then surplus() of them are to be taken first.
  [[nodiscard]] bool make_room();
  [[nodiscard]] std::size_t surplus() const { return depth_ / 4; }
  // One that has rested, otherwise the one that has rested longest. Requires that there is one.
  [[nodiscard]] slot_ref take_oldest();
  [[nodiscard]] bool empty() const { return held() == 0; }
  [[nodiscard]] bool any_rested() const { return rested_in_ring() + pool_count_ + ready_count() != 0; }
  // How many rest() took since the record was made; another thread's may be a ring's length wrong for an instant.
  [[nodiscard]] std::size_t frees() const { return laps_ + static_cast<std::size_t>(tail_ - ring_); }

  // In a forked child, which sorts every slot anew.
  void forget();

 private:
  static constexpr std::size_t positions = max_depth + 1;
  static constexpr unsigned choice_bits = 4;
  static constexpr std::size_t max_pool = std::size_t{1} << choice_bits;
  static constexpr std::size_t choices_in_word = (64 - std::bit_width(sizeof(slot_ref) - 1)) / choice_bits;
  static constexpr std::size_t max_ready = max_depth / 2;

  [[nodiscard]] std::size_t in_ring() const {
    const std::ptrdiff_t distance = tail_ - head_;
    return static_cast<std::size_t>(distance < 0 ? distance + static_cast<std::ptrdiff_t>(positions) : distance);
  }
  [[nodiscard]] std::size_t rested_in_ring() const { return in_ring() > resting_ ? in_ring() - resting_ : 0; }
  [[nodiscard]] std::size_t ready_count() const { return static_cast<std::size_t>(ready_end_ - next_); }
  [[nodiscard]] std::size_t held() const { return in_ring() + pool_count_ + ready_count(); }
  [[nodiscard]] slot_ref* ring_end() { return ring_ + positions; }
  // Exchanges slots of the ring for such as bits choose in the pool, as many as groups of unrolled take; how many.
  template <std::size_t unrolled>
  static std::size_t exchange(slot_ref* pool, std::size_t mask, std::uint64_t& bits, const slot_ref* from, slot_ref* to,
                              std::size_t count);
  // The slot that has been in the ring longest; requires one.
  [[nodiscard]] slot_ref take_head();
  // Sets room_end_; how many slots there is room for.
  std::size_t find_room();

  slot_ref* next_ = ready_;
  slot_ref* ready_end_ = ready_;
  relaxed<slot_ref*> tail_ = ring_;
  slot_ref* room_end_ = ring_;
  slot_ref* head_ = ring_;
  std::size_t depth_ = 0;
  std::size_t resting_ = 0;
  std::size_t pool_count_ = 0;
  std::size_t asked_at_ = 0;                    // by frees()
  relaxed<std::size_t> laps_ = std::size_t{0};  // of the tail, in slots
  slot_ref ready_[max_ready] = {};
  slot_ref pool_[max_pool] = {};
  slot_ref ring_[positions] = {};
};

// What stands where a thread cache has no bin yet.
inline constinit cache_bin no_cache_bin;

class alignas(64) thread_cache {
 private:
  struct entry {
    std::atomic<cache_bin*> at = &no_cache_bin;  // written by the thread, and by drop_bins()

    [[nodiscard]] cache_bin& bin() const { return *at.load(std::memory_order_relaxed); }
  };
  static constexpr std::size_t size_step = 16;

  static constexpr std::size_t bin_count = slab::no_bin + std::size_t{1};
  static constexpr std::size_t size_count = slab::max_fast / size_step + 1;
  // By slab::bin_of(); those of other families stay empty. Then, for each multiple of size_step, the bin of its class again.
  entry bins_[bin_count + size_count];

  // Which slab this thread freed a secret of last, for each place of the smallest size modulo near_count.
  static constexpr std::size_t near_step = std::size_t{64} << 10;
  static constexpr std::size_t near_count = 256;
  slab* near_[near_count];

 public:
  constexpr thread_cache() {
    for (slab*& each : near_) each = &slab_region::slab_of_none();
  }

  // The bin of a size of at most slab::max_fast. Without slots or room until ensure_bin().
  [[nodiscard]] cache_bin& of_size(std::size_t size) const {
    return bins_[(size + bin_count * size_step + size_step - 1) / size_step].bin();
  }
  [[nodiscard]] cache_bin& bin(std::size_t index) const { return bins_[index].bin(); }
  // Null when there is no memory for it, and of no_thread_cache.
  [[nodiscard]] cache_bin* ensure_bin(std::uint8_t family, std::size_t class_index, std::size_t depth);

  // A slab that the address may lie in: the slab's own records tell.
  [[nodiscard]] slab& slab_near(const std::byte* secret) const { return *near_[near_index(secret)]; }
  void note_near(const std::byte* secret, slab& in) { near_[near_index(secret)] = &in; }

  // Slots that were freed into it, since the record was made.
  [[nodiscard]] std::uint64_t frees() const;

  random_choice random;
  thread_cache* next = nullptr;         // in the list of all records, which only grows
  thread_cache* next_unused = nullptr;  // in the list of those without a thread

  void forget_in_child();
  // For a signal handler, in any thread: has the thread cache begin without bins; how many frees those had counted.
  std::uint64_t drop_bins();

 private:
  [[nodiscard]] static std::size_t near_index(const std::byte* secret) {
    return reinterpret_cast<std::uintptr_t>(secret) / near_step % near_count;
  }
};

// What a thread has that has no thread cache: one without slots or room.
extern constinit thread_cache no_thread_cache;

// This thread's cache in each family; no_thread_cache until its first use of it, and again once the thread ends.
LOCKFAST_OF_THREAD extern thread_cache* thread_caches[family_count];

}  // namespace lockfast::internal

#endif
