// region.cc - reserving, finding, releasing.
#include "allocator/region.h"

#include <bit>
#include <new>

#include "allocator/metadata.h"
#include "allocator/region_map.h"

namespace lockfast::internal {

region* region::make(isolated_arena& owner, std::size_t place_pages, std::size_t place_count, platform::fork_policy policy) {
  const std::size_t page = platform::page_size();
  if (place_count == fill_unit) place_count = (region_unit / page - 1) / (place_pages + 1);
  // Where pages are large and units small, one place may be longer than a unit.
  if (place_count == 0) place_count = 1;
  std::byte* const record = metadata::take(sizeof(region));
  span* const spans = metadata::take_array<span>(place_count);
  if (record == nullptr || spans == nullptr) return nullptr;
  auto* const made = new (record) region;
  for (std::size_t place = 0; place < place_count; ++place) new (spans + place) span(*made);
  made->owner_ = &owner;
  made->spans_ = spans;
  made->place_count_ = place_count;
  (void)made->refill(place_pages, policy);
  return made;
}

bool region::refill(std::size_t place_pages, platform::fork_policy policy) {
  const std::size_t page = platform::page_size();
  const std::size_t size = (place_count_ * (place_pages + 1) + 1) * page;
  const auto reserved = platform::reserve(size, region_unit, policy);
  if (reserved.address == nullptr) return false;
  key_ = canary_key::make();
  place_pages_ = place_pages;
  page_ = static_cast<std::uint32_t>(page);
  page_shift_ = static_cast<std::uint32_t>(std::countr_zero(page));
  size_ = size;
  dump_error_ = reserved.dump;
  fork_error_ = reserved.fork;
  used_.store(0, std::memory_order_relaxed);
  base_ = reserved.address;
  if (!region_map::set(base_, size_, *this)) {
    platform::release(base_, size_);
    base_ = nullptr;
    return false;
  }
  return true;
}

void region::release() {
  region_map::clear(base_, size_);
  platform::release(base_, size_);
  used_.store(0, std::memory_order_relaxed);
  base_ = nullptr;
}

bool region::reserve_in_child() {
  const auto reserved = platform::reserve_again(base_, size_, platform::fork_policy::absent);
  if (reserved.address == nullptr) {
    region_map::clear(base_, size_);
    used_.store(0, std::memory_order_relaxed);
    base_ = nullptr;
    return false;
  }
  dump_error_ = reserved.dump;
  fork_error_ = reserved.fork;
  return true;
}

span* region::take_unused() {
  const std::size_t taken = used_.load(std::memory_order_relaxed);
  if (empty() || taken == place_count_) return nullptr;
  used_.store(taken + 1, std::memory_order_release);
  return spans_ + taken;
}

}  // namespace lockfast::internal
