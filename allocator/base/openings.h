// openings.h - counts the page runs that were opened since the start of the process: by backing, and by what was not in force.
//
// A run is opened once and then serves many secrets, so a count here costs nothing beside the system calls of the opening.
//
// Threads: everything, from any thread. The queries are async-signal-safe.
#ifndef LOCKFAST_ALLOCATOR_BASE_OPENINGS_H
#define LOCKFAST_ALLOCATOR_BASE_OPENINGS_H

#include <lockfast/lockfast.h>

#include <atomic>
#include <cstddef>

#include "platform/platform.h"

namespace lockfast::internal {

class openings {
 public:
  enum class protection : unsigned char { lock, dump, hide, fork };
  static constexpr std::size_t protection_count = 4;

  // Counts a run: for each protection the errno that says why it is not in force, or 0.
  static void count(platform::error lock, platform::error dump, platform::error hide, platform::error fork);

  [[nodiscard]] static std::size_t opened(lockfast_backing backing) { return opened_[backing].load(std::memory_order_relaxed); }

  // Calls act(protection, errno, runs) for each reason that was met; errno 0 stands for reasons beyond the first few.
  template <class Do>
  static void for_each_reason(Do act) {
    for (std::size_t of = 0; of < protection_count; ++of) {
      for (const reason& one : reasons_[of]) {
        const std::size_t runs = one.runs.load(std::memory_order_relaxed);
        if (runs != 0) act(static_cast<protection>(of), one.error.load(std::memory_order_relaxed), runs);
      }
    }
  }

 private:
  struct reason {
    std::atomic<platform::error> error;
    std::atomic<std::size_t> runs;
  };
  // The last of them takes what the others have no room for.
  static constexpr std::size_t reason_count = 8;

  static void count(protection of, platform::error why);

  inline static constinit std::atomic<std::size_t> opened_[3] = {};
  inline static constinit reason reasons_[protection_count][reason_count] = {};
};

}  // namespace lockfast::internal

#endif
