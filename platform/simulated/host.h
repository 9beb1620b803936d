// host.h - the state of the simulated host: a record of each page, what is refused, what was counted.
//
// Threads: whoever reads or changes it holds its mutex, but for what a test sets before it begins.
#ifndef LOCKFAST_PLATFORM_SIMULATED_HOST_H
#define LOCKFAST_PLATFORM_SIMULATED_HOST_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
#include <mutex>
#include <new>
#include <optional>
#include <set>
#include <type_traits>
#include <vector>

#include "platform/platform.h"
#include "platform/simulated/simulated.h"

namespace lockfast::simulated {

using platform::access;
using platform::error;

struct page_state {
  access allowed = access::none;
  bool locked = false;
  bool opened = false;     // since it was reserved, or was both discarded and closed
  bool discarded = false;  // while it is open
  bool hidden = false;
  bool marked = false;
  bool between_markers = false;  // in a reservation that was marked
  bool apart = false;
};

struct block_counts {
  std::size_t locked = 0, hidden = 0, accessible = 0, marked = 0;  // pages
  std::size_t maps = 0;
};

struct reserved_block {
  std::vector<page_state> pages;
  std::align_val_t alignment = {};
  // Counted when it is asked for, since every call asks; empty after a change of pages.
  mutable std::optional<block_counts> counts;
};

// Tells an observer before a call takes it, so that another thread's may come first.
class call_mutex {
 public:
  void lock() {
    if (void (*const told)() = observer.load(std::memory_order_relaxed); told != nullptr) told();
    native_.lock();
  }
  void unlock() { native_.unlock(); }

  std::atomic<void (*)()> observer = nullptr;

 private:
  std::mutex native_;
};

struct host {
  call_mutex mutex;
  std::map<std::byte*, reserved_block> blocks;
  std::set<std::uintptr_t> foreign_locked;
  std::set<std::uintptr_t> foreign_concealed;
  std::set<std::uintptr_t> foreign_unlockable;
  std::size_t counts[static_cast<std::size_t>(call::count_of_calls)] = {};
  std::size_t until_refusal = 0;
  bool refused = false;
  bool refuses_on = false;
  std::size_t lock_limit = SIZE_MAX;
  std::size_t hidden_limit = 0;
  std::size_t map_limit = SIZE_MAX;
  std::size_t other_maps = 0;
  std::size_t map_refusals = 0;
  std::size_t address_limit = SIZE_MAX;
  std::size_t memory_available = SIZE_MAX;
  error fork_error = 0;
  bool guard_markers = false;
  bool moves = true;
  // Hidden pages that were moved, from where and to where, until the first place is vacated.
  std::map<std::byte*, std::byte*> hidden_twice;
  bool closing_unlocks = false;
  bool counts_maps = false;
  bool keeps_pages = false;
  bool generator = true;
  bool hibernates = false;
  error advice_error = 0;
  std::size_t page = 4096;
  std::uint64_t random_state = 1;
  void (*unlock_observer)(const std::byte* address, std::size_t size) = nullptr;
  void (*lock_held_observer)(const std::byte* address, std::size_t size) = nullptr;
};

host& the_host();
// Ends the process with a line that begins "simulated:".
[[noreturn]] void fail(const char* what);
std::uintptr_t page_of(const void* address);
void counted(host& in, call which);
// Counts a call that may refuse, and says whether this one does.
bool refuses(host& in, call which);
std::size_t sum_of(const host& in, std::size_t block_counts::* count);
std::size_t locked_bytes(const host& in);
std::size_t reserved_bytes(const host& in);
std::size_t hidden_bytes(const host& in);
// Null where nothing is reserved.
const page_state* state_at(const host& in, const std::byte* page);
std::size_t maps_of(const host& in);
// Linux moves no map when fewer than three are left (mm/mremap.c).
bool lacks_maps_to_move(host& in);
void require_wiped(const host& in, const std::byte* page, const char* what);

// Calls visit(state, address) for each page of a run that must lie in one reserved block. One that takes a constant state changes
// none.
template <class Visit>
void for_each_page(host& in, std::byte* address, std::size_t size, Visit visit) {
  auto after = in.blocks.upper_bound(address);
  if (after == in.blocks.begin()) fail("pages that are not reserved");
  auto& [base, block] = *std::prev(after);
  if constexpr (!std::is_invocable_v<Visit, const page_state&, std::byte*>) block.counts.reset();
  const auto offset = static_cast<std::size_t>(address - base);
  if (offset % in.page != 0 || size % in.page != 0 || size == 0) fail("address or size that is no multiple of a page");
  if (offset + size > block.pages.size() * in.page) fail("pages that are not reserved");
  for (std::size_t at = 0; at < size; at += in.page) visit(block.pages[(offset + at) / in.page], address + at);
}

// Changes pages, unless the system counts maps, and there would be more of them than it allows: then nothing is changed, false.
template <class Change>
bool change_pages(host& in, std::byte* address, std::size_t size, Change change) {
  if (!in.counts_maps) {
    for_each_page(in, address, size, change);
    return true;
  }
  std::vector<page_state> before;
  for_each_page(in, address, size, [&](const page_state& page, const std::byte*) { before.push_back(page); });
  const std::size_t maps_before = maps_of(in);
  for_each_page(in, address, size, change);
  const std::size_t maps_after = maps_of(in);
  if (maps_after <= maps_before || maps_after <= in.map_limit) return true;
  auto each = before.begin();
  for_each_page(in, address, size, [&](page_state& page, const std::byte*) { page = *each++; });
  ++in.map_refusals;
  return false;
}

}  // namespace lockfast::simulated

#endif
