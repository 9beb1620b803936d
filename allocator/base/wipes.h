// wipes.h - whether everything is being wiped, for those who copy a secret meanwhile.
//
//    const wipes::look before;                  // then the secret is read
//    platform::copy(made, secret, size);
//    if (before.wiped()) wipe(made, size);      // a wipe that has passed the new place already would miss it
//
// A wipe walks from secret to secret while other threads go on. A secret that one of them moves, or seals into a record, from where
// the walk has yet to come to where it has been, would outlive it.
//
// Threads: everything, from any thread; async-signal-safe.
#ifndef LOCKFAST_ALLOCATOR_BASE_WIPES_H
#define LOCKFAST_ALLOCATOR_BASE_WIPES_H

#include <atomic>
#include <cstdint>

namespace lockfast::internal {

class wipes {
 public:
  static void begin() {
    under_way_.fetch_add(1, std::memory_order_seq_cst);
    begun_.fetch_add(1, std::memory_order_seq_cst);
  }
  static void end() { under_way_.fetch_sub(1, std::memory_order_seq_cst); }
  [[nodiscard]] static bool under_way() { return under_way_.load(std::memory_order_seq_cst) != 0; }
  // Those of the parent's other threads end there.
  static void reset_in_child() { under_way_.store(0, std::memory_order_relaxed); }

  class look {
   public:
    look() : begun_before_(begun_.load(std::memory_order_seq_cst)), was_under_way_(under_way()) {}
    // Whether a wipe was under way at any moment since. To be asked once the copy is where a wipe that begins now finds it.
    [[nodiscard]] bool wiped() const {
      return was_under_way_ || begun_.fetch_add(0, std::memory_order_seq_cst) != begun_before_ || under_way();
    }

   private:
    std::uint32_t begun_before_;
    bool was_under_way_;
  };

 private:
  inline static constinit std::atomic<std::uint32_t> under_way_ = 0;
  inline static constinit std::atomic<std::uint32_t> begun_ = 0;  // ever
};

}  // namespace lockfast::internal

#endif
