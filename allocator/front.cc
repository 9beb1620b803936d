// front.cc - what is seldom done to a front.
#include "allocator/front.h"

#include <new>

#include "allocator/metadata.h"

namespace lockfast::internal {

[[gnu::tls_model("initial-exec")]] constinit thread_local front* thread_fronts[family_count] = {};

front_list* front::ensure_list(std::size_t class_index, std::size_t depth) {
  if (lists_[class_index] == nullptr) {
    std::byte* const record = metadata::take(sizeof(front_list));
    if (record != nullptr) lists_[class_index] = new (record) front_list(depth);
  }
  return lists_[class_index];
}

std::uint64_t front::frees() const {
  std::uint64_t sum = 0;
  for (front_list* const one : lists_) {
    if (one != nullptr) sum += one->frees();
  }
  return sum;
}

void front::forget_in_child() {
  random.reseed();
  for (front_list* const one : lists_) {
    if (one != nullptr) one->forget();
  }
}

}  // namespace lockfast::internal
