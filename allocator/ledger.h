// ledger.h - the set of bytes of the caller's own memory that are claimed, and the locks that follow from it.
//
//    pages    |........|........|........|........|
//    claims      [==)     [===============)
//    locked   |########|########|########|        |       a page is locked while any byte of it is claimed
//
// Invariants
//   1. A page that holds a claimed byte is locked and left out of core dumps.
//   2. What the program had locked before the first claim stays locked after the last; what was left out of core dumps besides
//      stays so. A refusal changes neither.
//   3. Pages of the allocator's own regions are never locked or unlocked from here: their lock is their secret's.
//
// Threads: one mutex, held across the system calls, so that two claims of one page are never half made.
#ifndef LOCKFAST_ALLOCATOR_LEDGER_H
#define LOCKFAST_ALLOCATOR_LEDGER_H

#include <cstddef>
#include <cstdint>

#include "allocator/base/interval_set.h"
#include "allocator/base/scoped_lock.h"
#include "platform/platform.h"

namespace lockfast::internal {

class ledger {
 public:
  constexpr ledger() = default;

  // Whether a claim that the system does not leave out of dumps is refused.
  enum class out_of_dumps : unsigned char { always, if_possible };

  // The process's one.
  [[nodiscard]] static ledger& of_process();

  // Claims length bytes at address; the system's errno, ENOMEM when they pass the end of the address space, or ENOTSUP where the
  // system takes a lock and does not hold the pages by it, with nothing changed.
  [[nodiscard]] platform::error claim(void* address, std::size_t length, out_of_dumps wanted = out_of_dumps::always);

  // Wipes length bytes at address, which must be writable, and gives up the claim on them; ENOMEM with nothing changed. Any
  // other errno is the system's refusal to unlock a page, which then stays locked and is nobody's.
  [[nodiscard]] platform::error disclaim(void* address, std::size_t length);

  void before_fork() { lock_over_fork(mutex_); }
  void after_fork_in_parent() { unlock_after_fork(mutex_); }
  // Locks the claimed pages again; what can't be locked is no longer claimed.
  void after_fork_in_child();

 private:
  enum class undo : unsigned char { lock, lock_and_advice };

  template <class Act>
  platform::error for_each_unclaimed(std::uintptr_t begin, std::uintptr_t end, Act act) const;
  [[nodiscard]] platform::error hold(std::uintptr_t begin, std::uintptr_t end, out_of_dumps wanted);
  [[nodiscard]] platform::error note_own(std::uintptr_t begin, std::uintptr_t end);
  void forget_own(std::uintptr_t begin, std::uintptr_t end);
  platform::error let_go(std::uintptr_t begin, std::uintptr_t end, undo what);

  platform::mutex mutex_;
  interval_set claims_;
  // Whole pages, each with a claimed byte: what the program had asked for them itself.
  interval_set locked_before_;
  interval_set concealed_before_;
};

}  // namespace lockfast::internal

#endif
