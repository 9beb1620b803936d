// front.cc - what is seldom done to a front.
#include "allocator/front.h"

#include <new>

#include "allocator/metadata.h"

namespace lockfast::internal {

LOCKFAST_OF_THREAD front* thread_fronts[family_count + 1] = {};

front::front() {
  for (auto& one : lists_) one.store(&no_front_list, std::memory_order_relaxed);
}

front_list* front::ensure_list(std::size_t class_index, std::size_t depth) {
  front_list* const had = &list(class_index);
  if (had != &no_front_list) return had;
  std::byte* const record = metadata::take(sizeof(front_list));
  if (record == nullptr) return nullptr;
  auto* const made = new (record) front_list(depth);
  // Others may read its frees() from here on.
  lists_[class_index].store(made, std::memory_order_release);
  return made;
}

std::uint64_t front::frees() const {
  std::uint64_t sum = 0;
  for (const auto& one : lists_) sum += one.load(std::memory_order_acquire)->frees();
  return sum;
}

void front::forget_in_child() {
  random.reseed();
  for (const auto& one : lists_) one.load(std::memory_order_relaxed)->forget();
}

}  // namespace lockfast::internal
