// ledger.cc - claims on the caller's own memory, and the page locks that follow from them.
#include "allocator/ledger.h"

#include <algorithm>
#include <cerrno>

#include "allocator/base/bytes.h"
#include "allocator/pages/region.h"
#include "allocator/base/scoped_lock.h"
#include "allocator/grouped/slab_region.h"
#include "allocator/isolated/span_region.h"

namespace lockfast::internal {
namespace {

constinit ledger process_ledger;

std::uintptr_t page_floor(std::uintptr_t address) { return address & ~(platform::page_size() - 1); }
// The end of the page that holds the byte before `address`; wraps to 0 at the end of the address space.
std::uintptr_t page_ceiling(std::uintptr_t address) { return page_floor(address + platform::page_size() - 1); }

std::byte* as_pointer(std::uintptr_t address) { return reinterpret_cast<std::byte*>(address); }
std::uintptr_t as_address(const std::byte* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// The next multiple of a region's unit, or the end where that comes first.
std::uintptr_t next_unit(std::uintptr_t address, std::uintptr_t end) {
  const std::uintptr_t rest = region_unit - address % region_unit;
  return rest < end - address ? address + rest : end;
}

// Of the pages of ours that begin at `page`: why they are not locked, or 0, and where that ends to be so.
struct piece_of_ours {
  platform::error lock_error;
  std::uintptr_t end;
};
piece_of_ours look_at_ours(region& in, std::uintptr_t page) {
  const piece_of_ours none = {ENOMEM, page + platform::page_size()};
  if (in.holds() == region::kind::slabs) {
    const slab* const at = static_cast<slab_region&>(in).at(as_pointer(page));
    if (at == nullptr || as_pointer(page) < at->run() || as_pointer(page) >= at->run() + at->opened_bytes()) return none;
    return {at->lock_error_at(as_pointer(page)), page + platform::page_size()};
  }
  const span* const at = span_region::find(as_pointer(page)).at;
  const bool in_run =
      at != nullptr && at->run() != nullptr && as_pointer(page) >= at->run() && as_pointer(page) < at->run() + at->run_size();
  return in_run ? piece_of_ours{at->lock_error(), as_address(at->run() + at->run_size())} : none;
}

// Why a page of our own in [begin, end) is not locked; 0 when all are. By region, not by page: the range may be very long.
platform::error lock_error_of_ours(std::uintptr_t begin, std::uintptr_t end) {
  while (begin < end) {
    region* const in = region::holding(as_pointer(begin));
    if (in == nullptr) {
      begin = next_unit(begin, end);
      continue;
    }
    const auto piece = look_at_ours(*in, begin);
    if (piece.lock_error != 0) return piece.lock_error;
    begin = piece.end;
  }
  return 0;
}

// Calls act(begin, end) for each piece of [begin, end) that is in no region of ours, until one is refused; the refusal.
template <class Act>
platform::error for_each_foreign(std::uintptr_t begin, std::uintptr_t end, Act act) {
  while (begin < end) {
    std::uintptr_t stop = begin;
    // A region begins at a multiple of its unit.
    while (stop < end && region::holding(as_pointer(stop)) == nullptr) stop = next_unit(stop, end);
    if (stop != begin) {
      if (const auto refusal = act(begin, stop); refusal != 0) return refusal;
    }
    const region* const ours = stop < end ? region::holding(as_pointer(stop)) : nullptr;
    begin = ours == nullptr ? stop : as_address(ours->base() + ours->size());
  }
  return 0;
}

// Calls act(begin, end) for each piece of [begin, end), whole pages, of which no page has a byte in a set, until one is refused.
template <class Act>
platform::error for_each_gap(const interval_set& set, std::uintptr_t begin, std::uintptr_t end, Act act) {
  while (begin < end) {
    const auto* const next = set.first_ending_after(begin);
    const std::uintptr_t stop = next == nullptr ? end : std::min(page_floor(next->begin), end);
    if (stop > begin) {
      if (const auto refusal = act(begin, stop); refusal != 0) return refusal;
    }
    begin = next == nullptr ? end : page_ceiling(next->end);
  }
  return 0;
}

}  // namespace

ledger& ledger::of_process() { return process_ledger; }

platform::error ledger::claim(void* address, std::size_t length, out_of_dumps wanted) {
  if (length == 0) return 0;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (begin > UINTPTR_MAX - platform::page_size() || length > UINTPTR_MAX - platform::page_size() - begin) return ENOMEM;
  const std::uintptr_t end = begin + length;
  const scoped_lock held(mutex_);
  if (!claims_.reserve_nodes(1)) return ENOMEM;
  const auto refusal = hold(page_floor(begin), page_ceiling(end), wanted);
  if (refusal == 0) claims_.add(begin, end);
  return refusal;
}

platform::error ledger::disclaim(void* address, std::size_t length) {
  if (length == 0) return 0;
  const auto begin = reinterpret_cast<std::uintptr_t>(address);
  if (begin > UINTPTR_MAX - platform::page_size() || length > UINTPTR_MAX - platform::page_size() - begin) return ENOMEM;
  const std::uintptr_t end = begin + length;
  // Whatever follows: few callers look at the result.
  wipe(address, length);
  const scoped_lock held(mutex_);
  // Cutting a hole into one interval leaves two.
  if (!claims_.reserve_nodes(1) || !locked_before_.reserve_nodes(1) || !concealed_before_.reserve_nodes(1)) return ENOMEM;
  const auto* touched = claims_.first_ending_after(begin);
  if (touched == nullptr || touched->begin >= end) return 0;
  // Only pages that held a claim before are the ledger's to unlock.
  platform::error refusal = 0;
  std::uintptr_t done = page_floor(begin);
  while (touched != nullptr && touched->begin < end) {
    const std::uintptr_t from = page_floor(std::max(touched->begin, begin));
    const std::uintptr_t to = page_ceiling(std::min(touched->end, end));
    claims_.remove(std::max(from, begin), std::min(to, end));
    if (const auto one = let_go(std::max(from, done), to, undo::lock_and_advice); one != 0) refusal = one;
    done = to;
    touched = claims_.first_ending_after(begin);
  }
  return refusal;
}

void ledger::after_fork_in_child() {
  // A lock is not inherited, the program's own no more than ours; advice against dumps is.
  locked_before_.clear();
  std::uintptr_t from = 0;
  for (;;) {
    const auto* const found = claims_.first_ending_after(from);
    if (found == nullptr) return;
    const std::uintptr_t begin = found->begin;
    from = found->end;
    // A refusal leaves these pages unlocked and unclaimed, as after an ordinary fork.
    if (hold(page_floor(begin), page_ceiling(from), out_of_dumps::if_possible) == 0 || !claims_.reserve_nodes(1)) continue;
    claims_.remove(begin, from);
    (void)let_go(page_floor(begin), page_ceiling(from), undo::lock_and_advice);
  }
}

// Calls act(begin, end) for each piece of [begin, end) in which nobody claims a byte and nothing is ours, until one is refused.
template <class Act>
platform::error ledger::for_each_unclaimed(std::uintptr_t begin, std::uintptr_t end, Act act) const {
  return for_each_gap(claims_, begin, end,
                      [&](std::uintptr_t from, std::uintptr_t to) { return for_each_foreign(from, to, act); });
}

// Locks every page of the caller's in [begin, end) and leaves it out of dumps; those that are claimed already too, since their
// memory may have been unmapped and mapped again. A refusal undoes what was done to the pages in which nobody claims a byte.
platform::error ledger::hold(std::uintptr_t begin, std::uintptr_t end, out_of_dumps wanted) {
  // What is claimed already may be more than could be locked now.
  auto refusal = for_each_gap(claims_, begin, end, [](std::uintptr_t from, std::uintptr_t to) {
    return platform::foreign_refusal(as_pointer(from), to - from);
  });
  if (refusal == 0) refusal = lock_error_of_ours(begin, end);
  if (refusal == 0) refusal = note_own(begin, end);
  if (refusal != 0) return refusal;

  refusal = for_each_foreign(
      begin, end, [](std::uintptr_t from, std::uintptr_t to) { return platform::lock_foreign(as_pointer(from), to - from); });
  if (refusal == 0) {
    refusal = for_each_unclaimed(begin, end, [](std::uintptr_t from, std::uintptr_t to) {
      const auto held = platform::lock_held(as_pointer(from), to - from);
      return held == platform::hold::none || held == platform::hold::some ? ENOTSUP : 0;
    });
  }
  if (refusal != 0) {
    (void)let_go(begin, end, undo::lock);
    return refusal;
  }
  refusal = for_each_foreign(
      begin, end, [](std::uintptr_t from, std::uintptr_t to) { return platform::conceal(as_pointer(from), to - from); });
  // A system without such a thing has no dumps to be left out of, or offers no way; docs/platforms.md says which.
  if (refusal == 0 || refusal == ENOTSUP || wanted == out_of_dumps::if_possible) return 0;
  (void)let_go(begin, end, undo::lock_and_advice);
  return refusal;
}

// Writes down what the program has locked itself of those pages of [begin, end) that nobody claims, and which of these it left
// out of dumps. A refusal has written down nothing.
platform::error ledger::note_own(std::uintptr_t begin, std::uintptr_t end) {
  const auto refusal = for_each_unclaimed(begin, end, [&](std::uintptr_t from, std::uintptr_t to) -> platform::error {
    const auto held = platform::lock_held(as_pointer(from), to - from);
    if (held == platform::hold::none || held == platform::hold::unknown) return 0;
    while (from < to) {
      const auto found = platform::state_of_foreign(as_pointer(from));
      const std::uintptr_t stop = found.size < to - from ? from + found.size : to;
      if (found.refusal != 0) return found.refusal;
      if (!locked_before_.reserve_nodes(1) || !concealed_before_.reserve_nodes(1)) return ENOMEM;
      if (found.locked) locked_before_.add(from, stop);
      if (found.locked && found.concealed) concealed_before_.add(from, stop);
      from = stop;
    }
    return 0;
  });
  if (refusal != 0) forget_own(begin, end);
  return refusal;
}

void ledger::forget_own(std::uintptr_t begin, std::uintptr_t end) {
  (void)for_each_gap(claims_, begin, end, [&](std::uintptr_t from, std::uintptr_t to) {
    if (locked_before_.reserve_nodes(1)) locked_before_.remove(from, to);
    if (concealed_before_.reserve_nodes(1)) concealed_before_.remove(from, to);
    return 0;
  });
}

// Undoes hold() for those pages of [begin, end) in which no byte is claimed.
platform::error ledger::let_go(std::uintptr_t begin, std::uintptr_t end, undo what) {
  platform::error refusal = 0;
  (void)for_each_unclaimed(begin, end, [&](std::uintptr_t from, std::uintptr_t to) {
    if (what == undo::lock_and_advice) {
      (void)for_each_gap(concealed_before_, from, to, [](std::uintptr_t first, std::uintptr_t last) {
        (void)platform::reveal(as_pointer(first), last - first);
        return 0;
      });
    }
    (void)for_each_gap(locked_before_, from, to, [&](std::uintptr_t first, std::uintptr_t last) {
      if (const auto one = platform::unlock_foreign(as_pointer(first), last - first); one != 0 && refusal == 0) refusal = one;
      return 0;
    });
    return 0;
  });
  forget_own(begin, end);
  return refusal;
}

}  // namespace lockfast::internal
