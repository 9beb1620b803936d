// span_region.h - a region cut into equal places for spans.
//
//    base
//    | guard | place 0 | guard | place 1 | guard | ... | place n-1 | guard |
//    |<----- stride ---->|
//
// A region of one place, for a large secret, is released when that is retired; one of many places, when a trim finds none of
// them in use. The record stays, and serves the next region of its kind.
//
// Invariant: between the places, and before the first and behind the last, there is always an inaccessible page.
//
// Threads: find() from any thread, without a mutex; the rest belongs to whoever holds the mutex of the region's owner.
#ifndef LOCKFAST_ALLOCATOR_ISOLATED_SPAN_REGION_H
#define LOCKFAST_ALLOCATOR_ISOLATED_SPAN_REGION_H

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "allocator/base/canary.h"
#include "allocator/pages/region.h"
#include "allocator/base/relaxed.h"
#include "allocator/isolated/span.h"
#include "platform/platform.h"

namespace lockfast::internal {

class isolated_arena;

class span_region : public region {
 public:
  // How many places of `place_pages` pages fit a size in bytes, one at least; and what so many places take.
  [[nodiscard]] static std::size_t places_in(std::size_t size, std::size_t place_pages);
  [[nodiscard]] static std::size_t size_of(std::size_t place_pages, std::size_t place_count);

  // An empty record with spans for so many places, taken from metadata; null when there is no memory for it.
  [[nodiscard]] static span_region* make(isolated_arena& owner, std::size_t max_places);

  // Gives the address space back; the record keeps its spans and is empty until refill().
  void release();
  // Has address space of size_of() those places be an empty record's, which has as many spans at least; false when the map
  // refuses: then it is released.
  [[nodiscard]] bool refill(std::size_t place_pages, std::size_t place_count, const platform::reservation& space,
                            region_map::place where, platform::fork_policy policy);

  // The region that holds address, and the span whose place, or the guard page behind it, address lies in; nulls if none.
  struct found {
    span_region* in;
    span* at;
  };
  [[nodiscard]] static found find(const void* address);
  // The same for the byte before address: a secret of size 0 begins where its place ends, and every other one has its
  // canary before it, so this finds the span of a secret by the secret's own address.
  [[nodiscard]] static found find_secret(const void* secret);

  [[nodiscard]] isolated_arena& owner() const { return *owner_; }
  [[nodiscard]] const canary_key& key() const { return key_; }
  [[nodiscard]] std::size_t place_pages() const { return place_pages_; }
  [[nodiscard]] std::size_t place_count() const { return place_count_; }
  // The most places that the record has spans for.
  [[nodiscard]] std::size_t max_places() const { return max_places_; }
  // Whether its inaccessible pages are so by guard markers, in one map.
  [[nodiscard]] bool marked() const { return marked_; }
  // Has them so, where the system allows it. Requires a region of which nothing was used yet.
  void mark();
  // In a forked child that has reserved it again without them.
  void lose_marks_in_child() { marked_ = false; }

  // A page that is never opened: the first guard page.
  [[nodiscard]] std::byte* blank() const { return base(); }

  // The first byte behind a span's place: its guard page.
  [[nodiscard]] std::byte* end_of(const span& one) const;

  // The next span that has never been used; null when there is none left.
  [[nodiscard]] span* take_unused();
  // The spans that have been taken since the region was mapped: none once it is released, which other threads may do while a
  // loop runs over them, so that a loop compares with "<".
  [[nodiscard]] span* begin() const { return spans_; }
  [[nodiscard]] span* end() const { return spans_ + used_.load(std::memory_order_acquire); }

  // In a forked child whose parent's region was fork_policy::absent: its address space is reserved again, at the same place. Where
  // the system refuses, the region is empty.
  void reserve_in_child();
  // In a forked child that has the region: the lock of its markers, which a fork drops.
  void lock_marks_in_child();
  // A new canary key; the one before it.
  canary_key renew_key();

 private:
  span_region() : region(kind::spans) {}

  relaxed<std::size_t> place_pages_;  // these two are read without a mutex by a report
  relaxed<std::size_t> place_count_;
  std::size_t max_places_ = 0;
  std::atomic<std::size_t> used_ = 0;
  span* spans_ = nullptr;
  std::uint32_t page_ = 0;  // bytes; constant from the first map on, like its logarithm
  std::uint32_t page_shift_ = 0;
  isolated_arena* owner_ = nullptr;
  canary_key key_ = {};
  relaxed<bool> marked_ = false;  // read without a mutex by who counts

 public:
  span_region* next = nullptr;        // in its owner's list of all records, which only grows
  span_region* next_empty = nullptr;  // in its owner's list of empty records
};

// ---- What a warm pair of allocation and release runs through ----

inline std::byte* span_region::end_of(const span& one) const {
  return base() + static_cast<std::size_t>(&one - spans_ + 1) * ((place_pages_ + 1) << page_shift_);
}

inline span_region::found span_region::find(const void* address) {
  region* const held = region::holding(address);
  if (held == nullptr || held->holds() != kind::spans) return {nullptr, nullptr};
  auto* const in = static_cast<span_region*>(held);
  const auto offset = static_cast<std::size_t>(static_cast<const std::byte*>(address) - in->base());
  if (offset < in->page_) return {in, nullptr};
  std::size_t place = 0;
  if (in->place_count_ > 1) {
    // A region of many places is one unit long at most: its page numbers fit 32 bits, which divide faster.
    const auto page_number = static_cast<std::uint32_t>((offset >> in->page_shift_) - 1);
    place = page_number / static_cast<std::uint32_t>(in->place_pages_ + 1);
  }
  span* const at = in->spans_ + place;
  return {in, at < in->end() ? at : nullptr};
}

inline span_region::found span_region::find_secret(const void* secret) {
  return find(reinterpret_cast<const void*>(reinterpret_cast<std::uintptr_t>(secret) - 1));
}

}  // namespace lockfast::internal

#endif
