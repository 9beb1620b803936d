// interval_set.h - a set of addresses, kept as disjoint intervals that do not touch.
//
// A treap (Seidel and Aragon 1996) of out-of-line nodes, so that a change costs the logarithm of the number of intervals. Its ranks are
// those of a fixed sequence: a claim of memory needs no random bytes, which the system may refuse.
//
// Invariant: intervals are not empty, do not overlap and do not touch.
//
// Threads: none of its own; a set belongs to whoever holds its owner's mutex.
#ifndef LOCKFAST_ALLOCATOR_BASE_INTERVAL_SET_H
#define LOCKFAST_ALLOCATOR_BASE_INTERVAL_SET_H

#include <cstddef>
#include <cstdint>

namespace lockfast::internal {

class interval_set {
 public:
  struct interval {
    std::uintptr_t begin;
    std::uintptr_t end;
    std::uint32_t rank;
    interval* left;
    interval* right;
  };

  constexpr interval_set() = default;

  // Null when there is none.
  [[nodiscard]] const interval* first_ending_after(std::uintptr_t address) const;

  // Makes sure of nodes for `count` changes; false when there is no memory.
  [[nodiscard]] bool reserve_nodes(std::size_t count);
  // Requires one node in reserve, each.
  void add(std::uintptr_t begin, std::uintptr_t end);
  void remove(std::uintptr_t begin, std::uintptr_t end);

  // Empties the set.
  void clear();

 private:
  [[nodiscard]] std::uint32_t next_rank();
  [[nodiscard]] interval* take_node(std::uintptr_t begin, std::uintptr_t end);
  void give_node(interval* node);
  void give_nodes(interval* tree);
  static void split(interval* tree, std::uintptr_t at, interval*& below, interval*& above);
  [[nodiscard]] static interval* merge(interval* below, interval* above);
  [[nodiscard]] static std::uintptr_t end_with(const interval* tree, std::uintptr_t end);

  std::uint32_t ranks_ = 0;  // given out
  interval* root_ = nullptr;
  interval* free_ = nullptr;
  std::size_t free_count_ = 0;
};

}  // namespace lockfast::internal

#endif
