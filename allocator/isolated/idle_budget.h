// idle_budget.h - how many pages of freed isolated secrets stay hidden or locked for the next ones, beyond those that each list keeps
// ready: one bound for the process.
//
// A new hidden or locked page costs many times what a kept one costs. A program that used many secrets at once often does so again.
//
// Invariant: counted pages == the pages of all spans that span_list::put_spare() took and nobody has taken since.
//
// Threads: everything, from any thread; reset_in_child() alone.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_IDLE_BUDGET_H
#define LOCKFAST_ALLOCATOR_ISOLATED_IDLE_BUDGET_H

#include <atomic>
#include <cstddef>

namespace lockfast::internal {

class idle_budget {
 public:
  // Sets the bound, in pages. Before this it is 0.
  static void start(std::size_t max_pages) { max_.store(max_pages, std::memory_order_relaxed); }

  // Counts these pages if the bound allows them; false if not.
  [[nodiscard]] static bool take(std::size_t page_count) {
    const std::size_t max = max_.load(std::memory_order_relaxed);
    if (used_.fetch_add(page_count, std::memory_order_relaxed) + page_count <= max) return true;
    give_back(page_count);
    return false;
  }
  static void give_back(std::size_t page_count) { used_.fetch_sub(page_count, std::memory_order_relaxed); }

  // A forked child keeps no idle page.
  static void reset_in_child() { used_.store(0, std::memory_order_relaxed); }

 private:
  inline static constinit std::atomic<std::size_t> max_ = 0;
  inline static constinit std::atomic<std::size_t> used_ = 0;
};

}  // namespace lockfast::internal

#endif
