// fast_path.h - what the allocation and the release of a grouped secret of up to 1 KiB run through while the thread's cache serves.
//
//    lockfast_malloc -> pool::allocate   -> grouped_heap::take_ready, slab::occupy_fast
//    lockfast_free   -> pool::deallocate -> grouped_heap::deallocate_fast -> slab::vacate_fast
//
// All of it is inlined into the two functions of the C interface, takes no mutex and makes no system call. Where it declines,
// nothing has changed, and pool::allocate_slow or pool::deallocate_slow does the work or finds the breach. The order of the code is
// the order in which it runs.
//
// Threads: as of the classes whose functions these are.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_FAST_PATH_H
#define LOCKFAST_ALLOCATOR_GROUPED_FAST_PATH_H

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "allocator/base/bytes.h"
#include "allocator/grouped/grouped_heap.h"
#include "allocator/grouped/slab.h"
#include "allocator/grouped/slab_region.h"
#include "allocator/grouped/slot_canary.h"
#include "allocator/grouped/thread_cache.h"
#include "platform/thread_local.h"

namespace lockfast::internal {

// ---- Allocation --------------------------------------------------------------------------------------------------------------

inline bool grouped_heap::take_ready(std::uint8_t family, std::size_t size, slot_ref& out) {
  return size <= slab::max_fast && platform::of_thread(thread_caches)[family]->of_size(size).take(out);
}

inline bool cache_bin::take(slot_ref& out) {
  const slot_ref* const first = next_;
  if (first == ready_end_) [[unlikely]]
    return false;
  out = *first;
  ++next_;
  return true;
}

inline std::byte* slab::occupy_fast(std::size_t index, std::size_t size) {
  slot& entered = slots_[index];
  const slot::header before = entered.read();
  std::byte* const secret = place(index);
  const std::size_t capacity = capacity_;
  if (!before.is_blank() || !blank(secret, capacity)) [[unlikely]]
    return occupy_unusual(secret, size);
  if (size != capacity) return occupy_in_part(entered, before, secret, size);
  const slot::header live = before.next_live();
  enter(entered, before.blank_entering());
  slot_canary(key_, secret, live.tenant_of_live_and_full()).flank(secret - margin, secret + size);
  entered.write(live);
  return secret;
}

inline bool slab::blank(const std::byte* secret, std::size_t capacity) {
  const std::byte* const end = secret + capacity;
  std::uint64_t seen = slot_canary::words_beside(secret - margin, end);
  // To find a bit in a vector takes more instructions than the words of 32 bytes do.
  if (capacity <= 32) {
    for (const std::byte* const at : {secret, end - 16}) seen |= word_at(at) | word_at(at + 8);
    return seen == 0;
  }
  // A capacity of a size class is a multiple of 16, as a place is.
  block found = {seen, 0};
  for_blocks(secret, end, capacity, [&](const std::byte* at) { found |= block_at(std::assume_aligned<alignment>(at)); });
  return is_zero(found);
}

// ---- Release -----------------------------------------------------------------------------------------------------------------

inline bool grouped_heap::deallocate_fast(std::uint8_t family, std::byte* secret) {
  thread_cache& mine = *platform::of_thread(thread_caches)[family];
  slab& in = mine.slab_near(secret);
  const std::uintptr_t offset = in.offset_of(secret);
  if (!in.owns_at(offset)) [[unlikely]]
    return false;
  cache_bin& bin = mine.bin(in.fast_bin_index);
  if (!bin.has_room()) [[unlikely]]
    return false;
  std::size_t index;
  if (!in.vacate_fast(secret, offset, index)) [[unlikely]]
    return false;
  bin.rest({&in, index});
  return true;
}

// Any address of the slab is in a slot that has a record, opened or not: what is not opened is free.
inline bool slab::vacate_fast(std::byte* secret, std::uintptr_t offset, std::size_t& index) {
  const auto [number, past] = quotient_of_place(offset);
  if (past >= reciprocal_) [[unlikely]]
    return false;
  index = static_cast<std::size_t>(number);
  slot& left = slots_[index];
  const slot::header known = left.read();
  std::byte* const end = secret + capacity_;
  if (!known.is_live_and_full() || !slot_canary(key_, secret, known.tenant_of_live_and_full()).flanks(secret - margin, end))
      [[unlikely]]
    return false;
  leave(left, known.vacated());
  slot_canary::wipe(secret - margin, end);
  for_blocks(secret, end, capacity_, [](std::byte* at) { put_block(at, block{}); });
  __asm__ volatile("" : : "r"(secret) : "memory");
  return true;
}

inline void cache_bin::rest(const slot_ref& freed) {
  slot_ref* const at = tail_;
  *at = freed;
  tail_ = at + 1;
}

}  // namespace lockfast::internal

#endif
