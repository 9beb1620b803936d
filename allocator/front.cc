// front.cc - what is seldom done to a front.
#include "allocator/front.h"

#include <new>

#include "allocator/metadata.h"

namespace lockfast::internal {

constinit front no_front;

LOCKFAST_OF_THREAD front* thread_fronts[family_count] = {&no_front, &no_front};

front_list* front::ensure_list(std::size_t class_index, std::size_t depth) {
  front_list* const had = &list(class_index);
  if (had != &no_front_list) return had;
  if (this == &no_front) return nullptr;
  std::byte* const record = metadata::take(sizeof(front_list));
  if (record == nullptr) return nullptr;
  auto* const made = new (record) front_list(depth);
  // Others may read its frees() from here on.
  lists_[class_index].at.store(made, std::memory_order_release);
  return made;
}

std::uint64_t front::frees() const {
  std::uint64_t sum = 0;
  for (const auto& one : lists_) sum += one.at.load(std::memory_order_acquire)->frees();
  return sum;
}

void front::forget_in_child() {
  random.reseed();
  for (const auto& one : lists_) one.at.load(std::memory_order_relaxed)->forget();
}

// What waits in them lies in closed pages, and goes with its slab. A list that its thread is using at this moment is that
// thread's to finish with; nobody comes to it again.
std::uint64_t front::drop_lists() {
  std::uint64_t sum = 0;
  for (auto& one : lists_) sum += one.at.exchange(&no_front_list, std::memory_order_acq_rel)->frees();
  return sum;
}

}  // namespace lockfast::internal
