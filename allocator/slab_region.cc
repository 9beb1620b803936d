// slab_region.cc - the records of regions and of their slabs.
#include "allocator/slab_region.h"

#include <bit>
#include <new>

#include "allocator/family.h"
#include "allocator/metadata.h"

namespace lockfast::internal {

namespace {

constinit slab slab_of_none(slab_region::none(), no_family);

}  // namespace

constinit slab_region slab_region::none_(slab_of_none);

slab_region* slab_region::make(std::size_t place_size, std::size_t place_count, platform::fork_policy policy) {
  std::byte* const record = metadata::take(sizeof(slab_region));
  // One for each place size in a unit: near() may come to any of them.
  const std::size_t record_count = place_count == 1 ? 1 : (region_unit + place_size - 1) / place_size;
  slab* const slabs = metadata::take_array<slab>(record_count);
  if (record == nullptr || slabs == nullptr) return nullptr;
  auto* const made = new (record) slab_region;
  for (std::size_t place = 0; place < record_count; ++place) new (slabs + place) slab(*made);
  made->slabs_ = slabs;
  made->place_count_ = place_count;
  (void)made->refill(place_size, policy);
  return made;
}

bool slab_region::refill(std::size_t place_size, platform::fork_policy policy) {
  place_size_ = place_size;
  policy_ = policy;
  // A single place fills its region: every address within has place number 0.
  place_shift_ = place_count_ == 1 ? whole_unit : static_cast<unsigned>(std::countr_zero(place_size));
  used_.store(0, std::memory_order_relaxed);
  taken_count = 0;
  return reserve(place_size * place_count_ + platform::page_size(), policy);
}

void slab_region::release() {
  region::release();
  used_.store(0, std::memory_order_relaxed);
}

bool slab_region::reserve_in_child() {
  if (reserve_again()) return true;
  used_.store(0, std::memory_order_relaxed);
  return false;
}

std::byte* slab_region::run_of(const slab& one) const {
  return base() + static_cast<std::size_t>(&one - slabs_) * place_size_ + platform::page_size();
}

std::size_t slab_region::run_size() const { return place_size_ - platform::page_size(); }

slab* slab_region::take_unused() {
  const std::size_t taken = used_.load(std::memory_order_relaxed);
  if (empty() || taken == place_count_) return nullptr;
  used_.store(taken + 1, std::memory_order_release);
  return slabs_ + taken;
}

}  // namespace lockfast::internal
