// map_watch.h - whether the limit on maps leaves room for more pages of isolated secrets.
//
// Linux refuses most calls on pages once a process has as many maps as it may have (vm.max_map_count), those among them by which
// maps would come back. So closed secrets are sealed while some hundreds are left. A run of pages counts as two maps, its own and
// that of the pages beside it. How many the rest of the process has is read from the system, which takes a microsecond for three:
// at 256 runs, then when they are twice as many or half of what was left is used up, at last with each 16,384th run that is opened.
//
// Threads: everything, from any thread; nothing waits while the system is asked.
#ifndef LOCKFAST_ALLOCATOR_PAGES_MAP_WATCH_H
#define LOCKFAST_ALLOCATOR_PAGES_MAP_WATCH_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "platform/platform.h"

namespace lockfast::internal {

class map_watch {
 public:
  // exceeded: there are more runs than may all be closed.
  enum class room : std::uint8_t { left, used_up, exceeded };

  // Whom it watches for. maps_of_runs: how many maps the runs have at this moment, without a mutex. tell: there is less room, or more.
  struct client {
    std::size_t (*maps_of_runs)();
    void (*tell)(room now);
  };
  // Before the first run; a second call changes nothing.
  static void start(const client& of);

  // A run was opened, or given back; look() follows, when no mutex is held.
  static void add_run() { opened_.fetch_add(1, std::memory_order_seq_cst); }
  static void drop_run() { given_back_.fetch_add(1, std::memory_order_seq_cst); }
  static void look() {
    if (client_.tell == nullptr) return;
    const std::size_t now = runs();
    if (now >= ask_from_runs_.load(std::memory_order_relaxed)) ask();
    if (judged(now) != state_.load(std::memory_order_relaxed)) settle();
  }

  // Whether so many are left that some may be spent to save time.
  static bool has_plenty() { return runs() < max_runs_.load(std::memory_order_relaxed) / 2; }

  static void reset_in_child() {
    asking_.reset_in_child();
    settling_.reset_in_child();
  }

 private:
  static constexpr std::size_t first_ask = 256;
  static constexpr std::size_t opened_for_an_ask = 16'384;

  [[nodiscard]] static std::size_t runs() {
    const std::size_t gone = given_back_.load(std::memory_order_seq_cst);
    const std::size_t all = opened_.load(std::memory_order_seq_cst);
    return all > gone ? all - gone : 0;
  }
  // What so many runs come to; in between, it is what it was.
  [[nodiscard]] static room judged(std::size_t runs);
  static void settle();
  static void ask();

  inline static constinit client client_ = {};
  inline static constinit std::size_t limit_ = SIZE_MAX;
  inline static constinit std::size_t margin_ = 0;  // runs that threads may have too many for a moment
  inline static constinit std::atomic<std::size_t> opened_ = 0;
  inline static constinit std::atomic<std::size_t> given_back_ = 0;
  inline static constinit std::atomic<std::size_t> max_runs_ = SIZE_MAX / 2;
  inline static constinit std::atomic<std::size_t> ask_from_runs_ = first_ask;
  inline static constinit std::atomic<std::size_t> ask_from_opened_ = 0;
  inline static constinit std::atomic<room> state_ = room::left;
  inline static constinit platform::mutex asking_;
  inline static constinit platform::mutex settling_;
};

}  // namespace lockfast::internal

#endif
