// ledger.cc - claims as an interval set, and the page locks that follow from it.
#include "allocator/ledger.h"

#include <cerrno>

#include "allocator/bytes.h"
#include "allocator/metadata.h"
#include "allocator/region.h"
#include "allocator/scoped_lock.h"
#include "allocator/slab_region.h"
#include "allocator/span_region.h"

namespace lockfast::internal {
namespace {

constinit ledger process_ledger;

std::uintptr_t page_floor(std::uintptr_t address) { return address & ~(platform::page_size() - 1); }
// The end of the page that holds the byte before `address`; wraps to 0 at the end of the address space.
std::uintptr_t page_ceiling(std::uintptr_t address) { return page_floor(address + platform::page_size() - 1); }

std::byte* as_pointer(std::uintptr_t address) { return reinterpret_cast<std::byte*>(address); }

bool is_ours(std::uintptr_t page) { return region::holding(as_pointer(page)) != nullptr; }
// Why a page of our own is not locked: 0 when it is, or when the page is not ours.
platform::error lock_error_of_ours(std::uintptr_t page) {
  region* const in = region::holding(as_pointer(page));
  if (in == nullptr) return 0;
  if (in->holds() == region::kind::slabs) {
    const slab* const at = static_cast<slab_region*>(in)->at(as_pointer(page));
    const bool opened = at != nullptr && as_pointer(page) >= at->run() && as_pointer(page) < at->run() + at->opened_bytes();
    return opened ? at->lock_error_at(as_pointer(page)) : ENOMEM;
  }
  const span* const at = span_region::find(as_pointer(page)).at;
  const bool in_run =
      at != nullptr && at->run() != nullptr && as_pointer(page) >= at->run() && as_pointer(page) < at->run() + at->run_size();
  return in_run ? at->lock_error() : ENOMEM;
}

bool is_callers(std::uintptr_t page) { return !is_ours(page); }

// Calls act(address, size) for each run of pages in [begin, end) that wanted() accepts; returns the first refusal, which ends
// it or not.
enum class after_refusal : unsigned char { stop, go_on };
template <class Wanted, class Act>
platform::error for_each_run(std::uintptr_t begin, std::uintptr_t end, after_refusal then, Wanted wanted, Act act) {
  const std::size_t page = platform::page_size();
  platform::error first = 0;
  for (std::uintptr_t at = begin; at != end;) {
    std::uintptr_t stop = at + page;
    if (wanted(at)) {
      while (stop != end && wanted(stop)) stop += page;
      const platform::error refusal = act(as_pointer(at), stop - at);
      if (first == 0) first = refusal;
      if (refusal != 0 && then == after_refusal::stop) break;
    }
    at = stop;
  }
  return first;
}

}  // namespace

ledger& ledger::of_process() { return process_ledger; }

platform::error ledger::claim(void* address, std::size_t length) {
  if (length == 0) return 0;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (begin > UINTPTR_MAX - platform::page_size() || length > UINTPTR_MAX - platform::page_size() - begin) return ENOMEM;
  const std::uintptr_t end = begin + length;
  const scoped_lock held(exclusion_);
  if (!reserve_nodes(1)) return ENOMEM;
  const auto refusal = hold(page_floor(begin), page_ceiling(end));
  if (refusal == 0) add(begin, end);
  return refusal;
}

platform::error ledger::disclaim(void* address, std::size_t length) {
  if (length == 0) return 0;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (begin > UINTPTR_MAX - platform::page_size() || length > UINTPTR_MAX - platform::page_size() - begin) return ENOMEM;
  const std::uintptr_t end = begin + length;
  const scoped_lock held(exclusion_);
  // Cutting a hole into one interval leaves two.
  if (!reserve_nodes(1)) return ENOMEM;
  wipe(address, length);
  const interval* touched = first_ending_after(begin);
  if (touched == nullptr || touched->begin >= end) return 0;
  // Only pages that held a claim before are the ledger's to unlock.
  platform::error refusal = 0;
  std::uintptr_t done = page_floor(begin);
  while (touched != nullptr && touched->begin < end) {
    const std::uintptr_t from = page_floor(touched->begin > begin ? touched->begin : begin);
    const std::uintptr_t claim_end = touched->end;
    const std::uintptr_t to = page_ceiling(claim_end < end ? claim_end : end);
    remove(from > begin ? from : begin, to < end ? to : end);
    if (const auto one = let_go(from > done ? from : done, to); one != 0) refusal = one;
    done = to;
    touched = first_ending_after(begin);
  }
  return refusal;
}

void ledger::after_fork_in_child() {
  random_.reseed();
  std::uintptr_t from = 0;
  for (;;) {
    const interval* const found = first_ending_after(from);
    if (found == nullptr) return;
    const std::uintptr_t begin = found->begin;
    from = found->end;
    // A refusal leaves these pages unlocked and unclaimed, as after an ordinary fork.
    if (hold(page_floor(begin), page_ceiling(from)) == 0 || !reserve_nodes(1)) continue;
    remove(begin, from);
    (void)let_go(page_floor(begin), page_ceiling(from));
  }
}

bool ledger::page_claimed(std::uintptr_t page) const {
  const interval* const found = first_ending_after(page);
  return found != nullptr && found->begin < page + platform::page_size();
}

// Locks every page of the caller's in [begin, end) and leaves it out of dumps; those that are claimed already too, since their
// memory may have been unmapped and mapped again. A refusal undoes what was done to the pages in which nobody claims a byte.
platform::error ledger::hold(std::uintptr_t begin, std::uintptr_t end) {
  const auto unclaimed = [&](std::uintptr_t page) { return !is_ours(page) && !page_claimed(page); };
  for (std::uintptr_t page = begin; page != end; page += platform::page_size()) {
    if (const auto refusal = lock_error_of_ours(page); refusal != 0) return refusal;
  }
  auto refusal = for_each_run(begin, end, after_refusal::stop, is_callers, platform::lock_foreign);
  if (refusal != 0) {
    (void)for_each_run(begin, end, after_refusal::go_on, unclaimed, platform::unlock_foreign);
    return refusal;
  }
  refusal = for_each_run(begin, end, after_refusal::stop, is_callers, platform::conceal);
  // A system without such a thing has no dumps to be left out of, or offers no way; docs/platforms.md says which.
  if (refusal == 0 || refusal == ENOTSUP) return 0;
  (void)for_each_run(begin, end, after_refusal::go_on, unclaimed, platform::reveal);
  (void)for_each_run(begin, end, after_refusal::go_on, unclaimed, platform::unlock_foreign);
  return refusal;
}

// Undoes hold() for those pages of [begin, end) in which no byte is claimed.
platform::error ledger::let_go(std::uintptr_t begin, std::uintptr_t end) {
  const auto unclaimed = [&](std::uintptr_t page) { return !is_ours(page) && !page_claimed(page); };
  (void)for_each_run(begin, end, after_refusal::go_on, unclaimed, platform::reveal);
  return for_each_run(begin, end, after_refusal::go_on, unclaimed, platform::unlock_foreign);
}

// ---- The interval set -----------------------------------------------------------------------------------------------------

const ledger::interval* ledger::first_ending_after(std::uintptr_t address) const {
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

bool ledger::reserve_nodes(std::size_t count) {
  constexpr std::size_t batch = 64;
  if (free_count_ > count) return true;
  auto* const nodes = metadata::take_array<interval>(batch);
  if (nodes == nullptr) return false;
  for (std::size_t index = 0; index < batch; ++index) give_node(nodes + index);
  return true;
}

ledger::interval* ledger::take_node(std::uintptr_t begin, std::uintptr_t end) {
  interval* const node = free_;
  free_ = node->right;
  --free_count_;
  *node = {begin, end, static_cast<std::uint32_t>(random_.below(65536) << 16 | random_.below(65536)), nullptr, nullptr};
  return node;
}

void ledger::give_node(interval* node) {
  node->right = free_;
  free_ = node;
  ++free_count_;
}

void ledger::give_nodes(interval* tree) {
  while (tree != nullptr) {
    give_nodes(tree->left);
    interval* const right = tree->right;
    give_node(tree);
    tree = right;
  }
}

// Intervals that begin below `at`, and the others.
void ledger::split(interval* tree, std::uintptr_t at, interval*& below, interval*& above) {
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

ledger::interval* ledger::merge(interval* below, interval* above) {
  if (below == nullptr) return above;
  if (above == nullptr) return below;
  if (below->rank >= above->rank) {
    below->right = merge(below->right, above);
    return below;
  }
  above->left = merge(below, above->left);
  return above;
}

// Makes [begin, end) one interval with all that it overlaps or touches. Requires one node in reserve.
void ledger::add(std::uintptr_t begin, std::uintptr_t end) {
  const interval* const first = first_ending_after(begin - 1);
  if (first != nullptr && first->begin < begin) begin = first->begin;
  interval* below = nullptr;
  interval* rest = nullptr;
  split(root_, begin, below, rest);
  interval* touched = nullptr;
  interval* above = nullptr;
  split(rest, end + 1, touched, above);
  const interval* last = touched;
  while (last != nullptr && last->right != nullptr) last = last->right;
  if (last != nullptr && last->end > end) end = last->end;
  give_nodes(touched);
  root_ = merge(merge(below, take_node(begin, end)), above);
}

// Takes [begin, end) out of the set. Requires one node in reserve.
void ledger::remove(std::uintptr_t begin, std::uintptr_t end) {
  const interval* const first = first_ending_after(begin);
  if (first == nullptr || first->begin >= end) return;
  const std::uintptr_t front = first->begin < begin ? first->begin : begin;
  interval* below = nullptr;
  interval* rest = nullptr;
  split(root_, front, below, rest);
  interval* touched = nullptr;
  interval* above = nullptr;
  split(rest, end, touched, above);
  const interval* last = touched;
  while (last->right != nullptr) last = last->right;
  const std::uintptr_t back = last->end > end ? last->end : end;
  give_nodes(touched);
  if (front < begin) below = merge(below, take_node(front, begin));
  if (back > end) above = merge(take_node(end, back), above);
  root_ = merge(below, above);
}

}  // namespace lockfast::internal
