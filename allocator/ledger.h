// ledger.h - the set of bytes of the caller's own memory that are claimed, and the locks that follow from it.
//
//    pages    |........|........|........|........|
//    claims      [==)     [===============)
//    locked   |########|########|########|        |       a page is locked while any byte of it is claimed
//
// Claims are kept as disjoint, non-adjacent intervals in a treap (Seidel and Aragon 1996) of out-of-line nodes, so that a
// claim costs the logarithm of their number.
//
// Invariants
//   1. A page that holds a claimed byte is locked and left out of core dumps; the ledger locked it.
//   2. Intervals are not empty, do not overlap and do not touch.
//   3. Pages of the allocator's own regions are never locked or unlocked from here: their lock is their secret's.
//
// Threads: one mutex, held across the system calls, so that two claims of one page are never half made.
#ifndef LOCKFAST_ALLOCATOR_LEDGER_H
#define LOCKFAST_ALLOCATOR_LEDGER_H

#include <cstddef>
#include <cstdint>

#include "allocator/random.h"
#include "platform/platform.h"

namespace lockfast::internal {

class ledger {
 public:
  constexpr ledger() = default;

  // The process's one.
  [[nodiscard]] static ledger& of_process();

  // Claims length bytes at address; the system's errno, or ENOMEM when they pass the end of the address space, with nothing
  // changed.
  [[nodiscard]] platform::error claim(void* address, std::size_t length);

  // Wipes length bytes at address, which must be writable, and gives up the claim on them; ENOMEM with nothing changed. Any
  // other errno is the system's refusal to unlock a page, which then stays locked and is nobody's.
  [[nodiscard]] platform::error disclaim(void* address, std::size_t length);

  void before_fork() { exclusion_.lock(); }
  void after_fork_in_parent() { exclusion_.unlock(); }
  // Locks the claimed pages again; what can't be locked is no longer claimed.
  void after_fork_in_child();

 private:
  struct interval {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::uint32_t rank;
    interval* left;
    interval* right;
  };

  [[nodiscard]] const interval* first_ending_after(std::uintptr_t address) const;
  [[nodiscard]] bool page_claimed(std::uintptr_t page) const;
  [[nodiscard]] platform::error hold(std::uintptr_t begin, std::uintptr_t end);
  platform::error let_go(std::uintptr_t begin, std::uintptr_t end);
  [[nodiscard]] bool reserve_nodes(std::size_t count);
  void add(std::uintptr_t begin, std::uintptr_t end);
  void remove(std::uintptr_t begin, std::uintptr_t end);
  [[nodiscard]] interval* take_node(std::uintptr_t begin, std::uintptr_t end);
  void give_node(interval* node);
  void give_nodes(interval* tree);
  static void split(interval* tree, std::uintptr_t at, interval*& below, interval*& above);
  [[nodiscard]] static interval* merge(interval* below, interval* above);

  platform::mutex exclusion_;
  random_choice random_;
  interval* root_ = nullptr;
  interval* free_ = nullptr;
  std::size_t free_count_ = 0;
};

}  // namespace lockfast::internal

#endif
