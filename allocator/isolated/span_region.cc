// span_region.cc - the records of regions and of their spans.
#include "allocator/isolated/span_region.h"

#include <bit>
#include <new>

#include "allocator/base/metadata.h"

namespace lockfast::internal {

std::size_t span_region::places_in(std::size_t size, std::size_t place_pages) {
  const std::size_t page_count = size / platform::page_size();
  const std::size_t fitting = page_count == 0 ? 0 : (page_count - 1) / (place_pages + 1);
  return fitting == 0 ? 1 : fitting;
}

std::size_t span_region::size_of(std::size_t place_pages, std::size_t place_count) {
  return (place_count * (place_pages + 1) + 1) * platform::page_size();
}

span_region* span_region::make(isolated_arena& owner, std::size_t max_places) {
  std::byte* const record = metadata::take(sizeof(span_region));
  span* const spans = metadata::take_array<span>(max_places);
  if (record == nullptr || spans == nullptr) return nullptr;
  auto* const made = new (record) span_region;
  for (std::size_t place = 0; place < max_places; ++place) new (spans + place) span(*made);
  made->owner_ = &owner;
  made->spans_ = spans;
  made->max_places_ = max_places;
  return made;
}

bool span_region::refill(std::size_t place_pages, std::size_t place_count, const platform::reservation& space,
                         region_map::place where, platform::fork_policy policy) {
  const std::size_t page = platform::page_size();
  key_ = canary_key::make();
  place_pages_ = place_pages;
  place_count_ = place_count;
  page_ = static_cast<std::uint32_t>(page);
  page_shift_ = static_cast<std::uint32_t>(std::countr_zero(page));
  marked_ = false;
  used_.store(0, std::memory_order_relaxed);
  return take(space, size_of(place_pages, place_count), where, policy);
}

void span_region::release() {
  for (span* at = begin(); at < end(); ++at) at->forget_map();
  region::release();
  used_.store(0, std::memory_order_relaxed);
}

void span_region::mark() { marked_ = platform::mark(base(), size()) == 0; }

void span_region::reserve_in_child() {
  marked_ = false;
  if (!reserve_again()) used_.store(0, std::memory_order_relaxed);
}

void span_region::lock_marks_in_child() {
  if (marked_) (void)platform::lock_marked_again(base(), size());
}

canary_key span_region::renew_key() {
  const canary_key before = key_;
  key_ = canary_key::make();
  return before;
}

span* span_region::take_unused() {
  const std::size_t taken = used_.load(std::memory_order_relaxed);
  if (empty() || taken == place_count_) return nullptr;
  used_.store(taken + 1, std::memory_order_release);
  return spans_ + taken;
}

}  // namespace lockfast::internal
