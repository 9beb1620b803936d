// front.cc - what is seldom done to a front.
#include "allocator/front.h"

#include <new>

#include "allocator/metadata.h"

namespace lockfast::internal {

[[gnu::tls_model("initial-exec")]] constinit thread_local front* thread_fronts[family_count + 1] = {};

front::front() {
  for (relaxed<front_list*>& one : lists_) one = &no_front_list;
}

front_list* front::ensure_list(std::size_t class_index, std::size_t depth) {
  if (lists_[class_index] == &no_front_list) {
    std::byte* const record = metadata::take(sizeof(front_list));
    if (record == nullptr) return nullptr;
    lists_[class_index] = new (record) front_list(depth);
  }
  return lists_[class_index];
}

std::uint64_t front::frees() const {
  std::uint64_t sum = 0;
  for (front_list* const one : lists_) {
    sum += one->frees();
  }
  return sum;
}

void front::forget_in_child() {
  random.reseed();
  for (front_list* const one : lists_) {
    one->forget();
  }
}

}  // namespace lockfast::internal
