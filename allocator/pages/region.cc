// region.cc - reserving and releasing.
#include "allocator/pages/region.h"

#include "allocator/pages/shared_unit.h"

namespace lockfast::internal {

region* region::holding_in_shared(region& unit, const void* address) {
  if (unit.holds() != kind::shared_unit) return nullptr;
  region* const in = static_cast<shared_unit&>(unit).at(address);
  const auto from_base = [&] { return static_cast<std::size_t>(static_cast<const std::byte*>(address) - in->base()); };
  return in != nullptr && from_base() < in->size() ? in : nullptr;
}

bool region::take(const platform::reservation& space, std::size_t size, region_map::place where, platform::fork_policy policy) {
  policy_ = policy;
  dump_error_ = space.dump;
  fork_error_ = space.fork;
  size_ = size;
  base_ = space.address;
  if (region_map::set(base_, size_, *this, where)) return true;
  platform::release(base_, size_);
  base_ = nullptr;
  size_ = 0;
  return false;
}

void region::release() {
  region_map::clear(base_, size_, *this);
  platform::release(base_, size_);
  base_ = nullptr;
  size_ = 0;
}

bool region::reserve_again() {
  // Copies, which are not locked here and which nobody wrote to: the frames are the parent's still.
  if (fork_error_ != 0) platform::release(base_, size_);
  const auto reserved = platform::reserve_again(base_, size_, platform::fork_policy::absent);
  if (reserved.address == nullptr) {
    region_map::clear(base_, size_, *this);
    base_ = nullptr;
    size_ = 0;
    return false;
  }
  dump_error_ = reserved.dump;
  fork_error_ = reserved.fork;
  return true;
}

}  // namespace lockfast::internal
