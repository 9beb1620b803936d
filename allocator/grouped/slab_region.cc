// slab_region.cc - the records of regions and of their slabs.
#include "allocator/grouped/slab_region.h"

#include <bit>
#include <new>

#include "allocator/base/family.h"
#include "allocator/base/metadata.h"

namespace lockfast::internal {

constinit slab slab_region::slab_of_none_(slab_region::none_);
constinit slab_region slab_region::none_(slab_region::slab_of_none_);

slab_region* slab_region::make(std::size_t max_places) {
  std::byte* const record = metadata::take(sizeof(slab_region));
  slab* const slabs = metadata::take_array<slab>(max_places);
  if (record == nullptr || slabs == nullptr) return nullptr;
  auto* const made = new (record) slab_region;
  for (std::size_t place = 0; place < max_places; ++place) new (slabs + place) slab(*made);
  made->slabs_ = slabs;
  made->max_places_ = max_places;
  return made;
}

bool slab_region::refill(std::size_t place_size, std::size_t place_count, const platform::reservation& space,
                         region_map::place where, platform::fork_policy policy) {
  place_size_ = place_size;
  place_count_ = place_count;
  // A single place fills its region: every address within has place number 0.
  place_shift_ = place_count == 1 ? whole_unit : static_cast<unsigned>(std::countr_zero(place_size));
  used_.store(0, std::memory_order_relaxed);
  taken_count = 0;
  return take(space, size_of(place_size, place_count), where, policy);
}

void slab_region::release() {
  region::release();
  used_.store(0, std::memory_order_relaxed);
}

void slab_region::reserve_in_child() {
  if (reserve_again()) return;
  // A thread may have noted them: its release of such a secret would look at memory that is not there.
  for (slab* one = begin(); one < end(); ++one) one->disown();
  used_.store(0, std::memory_order_relaxed);
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
