// thread_cache.cc - what is seldom done to a thread cache.
#include "allocator/grouped/thread_cache.h"

#include <algorithm>
#include <bit>
#include <iterator>
#include <new>
#include <utility>

#include "allocator/base/metadata.h"
#include "platform/access_checker.h"

namespace lockfast::internal {

constinit thread_cache no_thread_cache;

LOCKFAST_OF_THREAD thread_cache* thread_caches[family_count] = {&no_thread_cache, &no_thread_cache};

// A choice is an offset in bytes.
template <std::size_t unrolled>
std::size_t cache_bin::exchange(slot_ref* pool, std::size_t mask, std::uint64_t& bits, const slot_ref* from, slot_ref* to,
                                std::size_t count) {
  std::size_t done = 0;
  for (; count - done >= unrolled; done += unrolled) {
    for (std::size_t at = done; at < done + unrolled; ++at, bits >>= choice_bits) {
      auto& drawn = *static_cast<slot_ref*>(static_cast<void*>(reinterpret_cast<std::byte*>(pool) + (bits & mask)));
      to[at] = drawn;
      drawn = from[at];
    }
  }
  return done;
}

bool cache_bin::make_ready(random_choice& random) {
  std::size_t rested = rested_in_ring();
  // The pool is a power of two of slots, and gets half of what has rested at most.
  const std::size_t half = (rested + pool_count_) / 2;
  const std::size_t pooled = half < max_pool ? std::bit_floor(half) : max_pool;
  for (; pool_count_ < pooled; --rested) pool_[pool_count_++] = take_head();
  if (rested > max_ready) rested = max_ready;
  slot_ref* made = ready_;
  if (rested != 0 && pool_count_ == 0) *made++ = take_head(), --rested;
  const std::size_t mask = (std::bit_floor(pool_count_) - 1) * sizeof(slot_ref);
  while (rested != 0) {
    if (head_ == ring_end()) head_ = ring_;
    std::uint64_t bits = random.word();
    const std::size_t group = std::min({rested, choices_in_word, static_cast<std::size_t>(ring_end() - head_)});
    const std::size_t many = exchange<5>(pool_, mask, bits, head_, made, group);
    (void)exchange<1>(pool_, mask, bits, head_ + many, made + many, group - many);
    made += group;
    head_ += group;
    rested -= group;
  }
  next_ = ready_;
  ready_end_ = made;
  return made != ready_;
}

std::size_t cache_bin::find_room() {
  const std::size_t room = depth_ - held();
  const auto contiguous = static_cast<std::size_t>(ring_end() - tail_);
  room_end_ = tail_ + (room < contiguous ? room : contiguous);
  return room;
}

bool cache_bin::make_room() {
  if (tail_ == ring_end()) {
    tail_ = ring_;
    laps_ = laps_ + positions;
  }
  // So little that one release in every few would come here is none.
  return find_room() > depth_ / 8;
}

void cache_bin::add(const slot_ref* rested, std::size_t count) {
  for (std::size_t at = 0; at < count; ++at) {
    if (head_ == ring_) head_ = ring_end();
    *--head_ = rested[at];
  }
  (void)find_room();
}

slot_ref cache_bin::take_head() {
  if (head_ == ring_end()) head_ = ring_;
  return *head_++;
}

slot_ref cache_bin::take_oldest() {
  if (rested_in_ring() != 0) return take_head();
  if (next_ != ready_end_) return *next_++;
  return pool_count_ != 0 ? pool_[--pool_count_] : take_head();
}

slot_ref cache_bin::take_at_shortage(random_choice& random) {
  if (pool_count_ == 0) return take_head();
  std::swap(pool_[random.below(pool_count_)], pool_[pool_count_ - 1]);
  return pool_[--pool_count_];
}

void cache_bin::forget() {
  head_ = tail_;
  next_ = ready_end_;
  pool_count_ = 0;
  (void)find_room();
}

cache_bin* thread_cache::ensure_bin(std::uint8_t family, std::size_t class_index, std::size_t depth) {
  const std::size_t index = slab::bin_of(family, class_index);
  if (&bin(index) != &no_cache_bin) return &bin(index);
  if (this == &no_thread_cache) return nullptr;
  std::byte* const record = metadata::take(sizeof(cache_bin));
  if (record == nullptr) return nullptr;
  auto* const made = new (record) cache_bin(depth);
  // Others may read its frees() from here on.
  bins_[index].at.store(made, std::memory_order_release);
  // What a warm pair does is not told to a checker: it is done the longer way then.
  if (platform::has_access_checker()) return made;
  for (std::size_t step = 0; step < size_count; ++step) {
    if (size_class::of(step * size_step) == class_index) bins_[bin_count + step].at.store(made, std::memory_order_relaxed);
  }
  return made;
}

std::uint64_t thread_cache::frees() const {
  std::uint64_t sum = 0;
  for (std::size_t index = 0; index < bin_count; ++index) sum += bins_[index].at.load(std::memory_order_acquire)->frees();
  return sum;
}

void thread_cache::forget_in_child() {
  random.reseed();
  for (std::size_t index = 0; index < bin_count; ++index) {
    if (&bin(index) != &no_cache_bin) bin(index).forget();
  }
}

// What waits in them lies in closed pages, and goes with its slab. A bin that its thread is using at this moment is that
// thread's to finish with; nobody comes to it again.
std::uint64_t thread_cache::drop_bins() {
  std::uint64_t sum = 0;
  for (std::size_t index = 0; index < std::size(bins_); ++index) {
    cache_bin* const dropped = bins_[index].at.exchange(&no_cache_bin, std::memory_order_acq_rel);
    if (index < bin_count) sum += dropped->frees();
  }
  return sum;
}

}  // namespace lockfast::internal
