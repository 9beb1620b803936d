// thread_cache.cc - what is seldom done to a thread cache.
#include "allocator/grouped/thread_cache.h"

#include <new>

#include "allocator/base/metadata.h"

namespace lockfast::internal {

constinit thread_cache no_thread_cache;

LOCKFAST_OF_THREAD thread_cache* thread_caches[family_count] = {&no_thread_cache, &no_thread_cache};

cache_bin* thread_cache::ensure_list(std::size_t class_index, std::size_t depth) {
  cache_bin* const had = &list(class_index);
  if (had != &no_cache_bin) return had;
  if (this == &no_thread_cache) return nullptr;
  std::byte* const record = metadata::take(sizeof(cache_bin));
  if (record == nullptr) return nullptr;
  auto* const made = new (record) cache_bin(depth);
  // Others may read its frees() from here on.
  lists_[class_index].at.store(made, std::memory_order_release);
  return made;
}

std::uint64_t thread_cache::frees() const {
  std::uint64_t sum = 0;
  for (const auto& one : lists_) sum += one.at.load(std::memory_order_acquire)->frees();
  return sum;
}

void thread_cache::forget_in_child() {
  random.reseed();
  for (const auto& one : lists_) one.at.load(std::memory_order_relaxed)->forget();
}

// What waits in them lies in closed pages, and goes with its slab. A list that its thread is using at this moment is that
// thread's to finish with; nobody comes to it again.
std::uint64_t thread_cache::drop_lists() {
  std::uint64_t sum = 0;
  for (auto& one : lists_) sum += one.at.exchange(&no_cache_bin, std::memory_order_acq_rel)->frees();
  return sum;
}

}  // namespace lockfast::internal
