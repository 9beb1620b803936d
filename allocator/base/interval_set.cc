// interval_set.cc - the treap of intervals.
#include "allocator/base/interval_set.h"

#include "allocator/base/metadata.h"

namespace lockfast::internal {

const interval_set::interval* interval_set::first_ending_after(std::uintptr_t address) const {
  const interval* found = nullptr;
  for (const interval* at = root_; at != nullptr;) {
    if (at->end > address) {
      found = at;
      at = at->left;
    } else {
      at = at->right;
    }
  }
  return found;
}

bool interval_set::reserve_nodes(std::size_t count) {
  constexpr std::size_t batch = 64;
  if (free_count_ > count) return true;
  auto* const nodes = metadata::take_array<interval>(batch);
  if (nodes == nullptr) return false;
  for (std::size_t index = 0; index < batch; ++index) give_node(nodes + index);
  return true;
}

void interval_set::clear() {
  give_nodes(root_);
  root_ = nullptr;
}

// A number that follows no order of the claims: the finalizer of MurmurHash3 (Appleby 2011), which maps no two to one.
std::uint32_t interval_set::next_rank() {
  std::uint32_t mixed = ++ranks_;
  mixed = (mixed ^ mixed >> 16) * 0x85ebca6b;
  mixed = (mixed ^ mixed >> 13) * 0xc2b2ae35;
  return mixed ^ mixed >> 16;
}

interval_set::interval* interval_set::take_node(std::uintptr_t begin, std::uintptr_t end) {
  interval* const node = free_;
  free_ = node->right;
  --free_count_;
  *node = {begin, end, next_rank(), nullptr, nullptr};
  return node;
}

void interval_set::give_node(interval* node) {
  node->right = free_;
  free_ = node;
  ++free_count_;
}

void interval_set::give_nodes(interval* tree) {
  while (tree != nullptr) {
    give_nodes(tree->left);
    interval* const right = tree->right;
    give_node(tree);
    tree = right;
  }
}

// Intervals that begin below `at`, and the others.
void interval_set::split(interval* tree, std::uintptr_t at, interval*& below, interval*& above) {
  if (tree == nullptr) {
    below = above = nullptr;
  } else if (tree->begin < at) {
    split(tree->right, at, tree->right, above);
    below = tree;
  } else {
    split(tree->left, at, below, tree->left);
    above = tree;
  }
}

interval_set::interval* interval_set::merge(interval* below, interval* above) {
  if (below == nullptr) return above;
  if (above == nullptr) return below;
  if (below->rank >= above->rank) {
    below->right = merge(below->right, above);
    return below;
  }
  above->left = merge(below, above->left);
  return above;
}

// The end of the last interval of a tree, which may be empty, or `end` where that is behind it.
std::uintptr_t interval_set::end_with(const interval* tree, std::uintptr_t end) {
  while (tree != nullptr && tree->right != nullptr) tree = tree->right;
  return tree != nullptr && tree->end > end ? tree->end : end;
}

// Makes [begin, end) one interval with all that it overlaps or touches. Requires one node in reserve.
void interval_set::add(std::uintptr_t begin, std::uintptr_t end) {
  const interval* const first = first_ending_after(begin - 1);
  if (first != nullptr && first->begin < begin) begin = first->begin;
  interval* below = nullptr;
  interval* rest = nullptr;
  split(root_, begin, below, rest);
  interval* touched = nullptr;
  interval* above = nullptr;
  split(rest, end + 1, touched, above);
  end = end_with(touched, end);
  give_nodes(touched);
  root_ = merge(merge(below, take_node(begin, end)), above);
}

// Takes [begin, end) out of the set. Requires one node in reserve.
void interval_set::remove(std::uintptr_t begin, std::uintptr_t end) {
  const interval* const first = first_ending_after(begin);
  if (first == nullptr || first->begin >= end) return;
  const std::uintptr_t front = first->begin < begin ? first->begin : begin;
  interval* below = nullptr;
  interval* rest = nullptr;
  split(root_, front, below, rest);
  interval* touched = nullptr;
  interval* above = nullptr;
  split(rest, end, touched, above);
  const std::uintptr_t back = end_with(touched, end);
  give_nodes(touched);
  if (front < begin) below = merge(below, take_node(front, begin));
  if (back > end) above = merge(take_node(end, back), above);
  root_ = merge(below, above);
}

}  // namespace lockfast::internal
