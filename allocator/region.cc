// region.cc - reserving and releasing.
#include "allocator/region.h"

namespace lockfast::internal {

bool region::reserve(std::size_t size, platform::fork_policy policy) {
  const auto reserved = platform::reserve(size, region_unit, policy);
  if (reserved.address == nullptr) return false;
  dump_error_ = reserved.dump;
  fork_error_ = reserved.fork;
  size_ = size;
  base_ = reserved.address;
  if (region_map::set(base_, size_, *this)) return true;
  platform::release(base_, size_);
  base_ = nullptr;
  size_ = 0;
  return false;
}

void region::release() {
  region_map::clear(base_, size_);
  platform::release(base_, size_);
  base_ = nullptr;
  size_ = 0;
}

bool region::reserve_again() {
  // Copies, which are not locked here and which nobody wrote to: the frames are the parent's still.
  if (fork_error_ != 0) platform::release(base_, size_);
  const auto reserved = platform::reserve_again(base_, size_, platform::fork_policy::absent);
  if (reserved.address == nullptr) {
    region_map::clear(base_, size_);
    base_ = nullptr;
    size_ = 0;
    return false;
  }
  dump_error_ = reserved.dump;
  fork_error_ = reserved.fork;
  return true;
}

}  // namespace lockfast::internal
