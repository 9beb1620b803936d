// lock_watch.h - whether something other than the allocator has taken the locks off: munlockall, say.
//
// One locked page stands for all: the first that was opened, and once that is given back, one that is opened, locked again or
// counted later. It is asked for at moments that are slow anyway, when pages are opened; what is found wrong is mended by
// process::renew_locks(), when no mutex is held.
//
// Threads: everything, from any thread; no mutex.
#ifndef LOCKFAST_ALLOCATOR_PAGES_LOCK_WATCH_H
#define LOCKFAST_ALLOCATOR_PAGES_LOCK_WATCH_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "platform/platform.h"

namespace lockfast::internal {

class lock_watch {
 public:
  // Pages are locked. None of hidden ones.
  static void see_locked(const std::byte* begin) {
    const std::byte* none = nullptr;
    page_.compare_exchange_strong(none, begin, std::memory_order_relaxed);
  }
  [[nodiscard]] static bool sees_none() { return page_.load(std::memory_order_relaxed) == nullptr; }
  // They are about to be unlocked.
  static void forget(const std::byte* begin, std::size_t size) {
    const std::byte* seen = page_.load(std::memory_order_relaxed);
    if (seen < begin || seen >= begin + size) return;
    if (page_.compare_exchange_strong(seen, nullptr)) times_forgotten_.fetch_add(1);
  }

  // Asks the system, and remembers a loss until take_loss().
  static void look() {
    const std::uint64_t forgotten = times_forgotten_.load();
    const std::byte* seen = page_.load();
    // Where closing takes a lock off, a page without one means nothing.
    if (seen == nullptr || platform::closed_lock_error() != 0) return;
    const bool held = platform::lock_held(seen, platform::page_size()) != platform::hold::none;
    // It may have been given back meanwhile, and opened and locked once more: the address alone does not tell.
    if (held || times_forgotten_.load() != forgotten) return;
    // Another is to be seen next: one that was given back while it was being counted would be lost for ever.
    if (page_.compare_exchange_strong(seen, nullptr)) see_loss();
  }
  static void see_loss() { lost_.store(true, std::memory_order_relaxed); }
  [[nodiscard]] static bool lost() { return lost_.load(std::memory_order_relaxed); }
  [[nodiscard]] static bool take_loss() { return lost() && lost_.exchange(false, std::memory_order_relaxed); }

  static void reset_in_child() {
    page_.store(nullptr, std::memory_order_relaxed);
    lost_.store(false, std::memory_order_relaxed);
  }

 private:
  inline static constinit std::atomic<const std::byte*> page_ = nullptr;
  inline static constinit std::atomic<std::uint64_t> times_forgotten_ = 0;
  inline static constinit std::atomic<bool> lost_ = false;
};

}  // namespace lockfast::internal

#endif
