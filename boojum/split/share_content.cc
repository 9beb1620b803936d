// share_content.cc - given bytes copied, fresh prekeys computed in their places.
#include "boojum/split/share_content.h"

#include <lockfast/lockfast.h>

#include <cstring>

namespace lockfast::internal {

bool share_content::put(std::span<std::byte> place) const {
  if (!fresh_) {
    std::memcpy(place.data(), given_.data(), given_.size());
    return true;
  }
  lockfast_wipe(place.data(), place.size());
  return change(place);
}

bool share_content::change(std::span<std::byte> place) const {
  add_seeded(fresh_->seed, place, fresh_->room);
  if (add_mask(place, fresh_->index, fresh_->masks, fresh_->room)) return true;
  change_back(place);
  return false;
}

void share_content::change_back(std::span<std::byte> place) const { add_seeded(fresh_->seed, place, fresh_->room); }

}  // namespace lockfast::internal
