// slot.h - what is known of one slot of a slab, out of line: its state, its generation, and where in it its secret lies.
//
// Invariants
//   1. state: free --> live --> free, and live <--> busy while its owner resizes it.
//   2. The generation counts the tenants; it wraps after 2^30.
//
// Threads: the queries from any thread; the rest belongs to whoever holds the slot or its secret.
#ifndef LOCKFAST_ALLOCATOR_SLOT_H
#define LOCKFAST_ALLOCATOR_SLOT_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/relaxed.h"

namespace lockfast::internal {

class slot {
 public:
  enum class state : std::uint32_t { free, live, busy };

  [[nodiscard]] state current_state() const { return static_cast<state>(word() & state_mask); }
  [[nodiscard]] std::uint32_t generation() const { return word() >> state_bits; }
  // State and generation in one: unchanged for as long as one tenant is live.
  [[nodiscard]] std::uint32_t word() const { return word_.load(std::memory_order_acquire); }

  // Bytes between the slot's place and its secret, and between the secret's end and the slot's capacity.
  [[nodiscard]] std::size_t shift() const { return std::size_t{layout_ >> slack_bits} * shift_unit; }
  [[nodiscard]] std::size_t slack() const { return layout_ & slack_mask; }

  // A new generation, not live yet. Requires a free slot, a shift that is a multiple of shift_unit, and both within bounds.
  void begin(std::size_t shift, std::size_t slack) {
    word_.store(word_.load(std::memory_order_relaxed) + (1U << state_bits), std::memory_order_relaxed);
    arrange(shift, slack);
  }
  void arrange(std::size_t shift, std::size_t slack) {
    layout_ = static_cast<std::uint32_t>(shift / shift_unit << slack_bits | slack);
  }
  void set(state entered) {
    word_.store((word_.load(std::memory_order_relaxed) & ~state_mask) | static_cast<std::uint32_t>(entered),
                std::memory_order_release);
  }

  static constexpr std::size_t shift_unit = 16;
  static constexpr std::size_t most_slack = (std::size_t{1} << 20) - 1;
  static constexpr std::size_t most_shift = ((std::size_t{1} << 12) - 1) * shift_unit;

 private:
  static constexpr unsigned state_bits = 2;
  static constexpr std::uint32_t state_mask = (1U << state_bits) - 1;
  static constexpr unsigned slack_bits = 20;
  static constexpr std::uint32_t slack_mask = (1U << slack_bits) - 1;

  std::atomic<std::uint32_t> word_ = 0;
  relaxed<std::uint32_t> layout_;
};

}  // namespace lockfast::internal

#endif
