// slot.h - what is known of one slot of a slab, out of line: its state, its generation, and where in it its secret lies.
//
// Invariants
//   1. state: free --> entering --> live --> free, and live <--> busy while its owner resizes it, or everything is wiped. It is
//      entering while its canaries are written, and free from before it is wiped.
//   2. The generation counts the tenants; it wraps after 2^32.
//   3. A slot that is not live has the access read_write.
//
// Threads: the queries from any thread; the rest belongs to whoever holds the slot or its secret.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SLOT_H
#define LOCKFAST_ALLOCATOR_GROUPED_SLOT_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "platform/platform.h"

namespace lockfast::internal {

class slot {
 public:
  enum class state : std::uint64_t { free, live, busy, entering };

  // All that is known, in one word:  | generation: 32 | shift: 8 | access: 2 | slack: 20 | state: 2 |
  class header {
   public:
    explicit header(std::uint64_t bits) : bits_(bits) {}

    [[nodiscard]] state current_state() const { return static_cast<state>(bits_ & state_mask); }
    [[nodiscard]] bool is_free() const { return (bits_ & state_mask) == 0; }
    [[nodiscard]] bool is_live() const { return current_state() == state::live; }
    [[nodiscard]] bool is_busy() const { return current_state() == state::busy; }
    // Live, and its secret fills the slot, and can be read and written.
    [[nodiscard]] bool is_live_and_full() const { return vacated().is_blank(); }
    // What one becomes when freed of which that is so. Nothing else becomes blank: free and full, without a shift.
    [[nodiscard]] header vacated() const { return header(bits_ - static_cast<std::uint64_t>(state::live)); }
    [[nodiscard]] bool is_blank() const { return static_cast<std::uint32_t>(bits_) == 0; }
    // What any other one becomes when freed: blank, where the secret lies at the slot's place.
    [[nodiscard]] header freed() const { return header(bits_ & (generation_mask | shift_mask)); }
    // What a blank one becomes: at first, and then live with a new tenant, full or of a size.
    [[nodiscard]] header blank_entering() const { return header(bits_ + static_cast<std::uint64_t>(state::entering)); }
    [[nodiscard]] header next_live() const {
      return header(bits_ + (generation_step | static_cast<std::uint64_t>(state::live)));
    }
    [[nodiscard]] header next_live(std::size_t slack) const {
      return header(next_live().bits_ + (std::uint64_t{slack} << slack_at));
    }
    // Of the tenant, for its canaries: the generation, in its place; all there is in the word if it is live and full.
    [[nodiscard]] std::uint64_t tenant() const { return (bits_ & generation_mask) | static_cast<std::uint64_t>(state::live); }
    [[nodiscard]] std::uint64_t tenant_of_live_and_full() const { return bits_; }
    // What was asked for it, and whether that is read_write and the secret lies at the slot's place.
    [[nodiscard]] platform::access access() const {
      return static_cast<platform::access>(open_access - (static_cast<unsigned>(bits_ >> access_at) & 3));
    }
    [[nodiscard]] bool is_plain() const { return (static_cast<std::uint32_t>(bits_) >> access_at) == 0; }
    [[nodiscard]] header with_access(platform::access asked) const {
      return header((bits_ & ~access_mask) | std::uint64_t{open_access - static_cast<unsigned>(asked)} << access_at);
    }
    // Bytes between the slot's place and its secret, and between the secret's end and the slot's capacity.
    [[nodiscard]] std::size_t shift() const { return (static_cast<std::uint32_t>(bits_) >> shift_at) * shift_unit; }
    [[nodiscard]] std::size_t slack() const { return static_cast<std::size_t>(bits_ >> slack_at) & max_slack; }

    [[nodiscard]] header in(state entered) const { return header((bits_ & ~state_mask) | static_cast<std::uint64_t>(entered)); }
    // What a new tenant begins with that fills the slot: blank, in a state yet to be said.
    [[nodiscard]] header next() const { return header(((bits_ >> generation_at) + 1) << generation_at); }
    // The same of another size or place. Requires both within their bounds, shift a multiple of shift_unit.
    [[nodiscard]] header next(std::size_t shift, std::size_t slack) const {
      return header(next().bits_ | layout_of(shift, slack));
    }
    [[nodiscard]] header with_slack(std::size_t slack) const {
      return header((bits_ & ~slack_mask) | std::uint64_t{slack} << slack_at);
    }
    [[nodiscard]] std::uint64_t bits() const { return bits_; }
    [[nodiscard]] bool operator==(const header&) const = default;

   private:
    [[nodiscard]] static std::uint64_t layout_of(std::size_t shift, std::size_t slack) {
      return std::uint64_t{shift / shift_unit} << shift_at | std::uint64_t{slack} << slack_at;
    }

    static constexpr unsigned slack_at = 2;
    static constexpr unsigned access_at = 22;
    static constexpr unsigned shift_at = 24;
    static constexpr unsigned generation_at = 32;
    static constexpr std::uint64_t state_mask = 3;
    static constexpr std::uint64_t slack_mask = std::uint64_t{0xfffff} << slack_at;
    static constexpr std::uint64_t generation_step = std::uint64_t{1} << generation_at;
    static constexpr std::uint64_t shift_mask = std::uint64_t{0xff} << shift_at;
    static constexpr std::uint64_t generation_mask = ~std::uint64_t{0} << generation_at;
    static constexpr std::uint64_t access_mask = std::uint64_t{3} << access_at;
    // In the word it is 0, so that what most slots are is blank.
    static constexpr unsigned open_access = static_cast<unsigned>(platform::access::read_write);

    std::uint64_t bits_;
  };

  static constexpr std::size_t shift_unit = 16;
  static constexpr std::size_t max_slack = (std::size_t{1} << 20) - 1;
  static constexpr std::size_t max_shift = ((std::size_t{1} << 8) - 1) * shift_unit;

  [[nodiscard]] header read() const { return header(bits_.load(std::memory_order_acquire)); }
  void write(header known) { bits_.store(known.bits(), std::memory_order_release); }
  // Writes it if the slot is as it was known; false, and nothing, if not.
  [[nodiscard]] bool change(header known, header to) {
    std::uint64_t seen = known.bits();
    return bits_.compare_exchange_strong(seen, to.bits(), std::memory_order_acq_rel, std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> bits_ = 0;
};

}  // namespace lockfast::internal

#endif
