// resting_key.cc - the making of copies.
#include "boojum/resting_key.h"

#include <new>
#include <utility>

#include "boojum/scratch.h"

namespace lockfast::internal {
namespace {

// Which of the copies is this thread's.
std::size_t number_of_thread() {
  static constinit std::atomic<std::size_t> threads = 0;
  thread_local const std::size_t number = threads.fetch_add(1, std::memory_order_relaxed);
  return number % resting_key::most_copies;
}

}  // namespace

resting_key::resting_key(std::shared_ptr<split_secret>&& first) : first_(std::move(first)) { copies_[0] = first_.get(); }

resting_key::~resting_key() {
  (void)first_->wipe();
  for (const auto& each : kept_) {
    if (each != nullptr) (void)each->wipe();
  }
}

std::expected<std::shared_ptr<const resting_key>, memory_error> resting_key::fresh() {
  const scratch key(key_size);
  if (key.refused()) return std::unexpected(memory_error::refused);
  lockfast_random(key.data(), key_size);
  try {
    const split_secret::options wanted = {.prekey = prekey_size, .remix = remix::on_demand};
    auto split = split_secret::split(key.bytes(), wanted);
    if (!split) return std::unexpected(split.error());
    return std::shared_ptr<const resting_key>(new resting_key(std::move(*split)));
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::refused);
  }
}

split_secret& resting_key::copy_for_this_thread() const {
  const std::size_t number = number_of_thread();
  split_secret* const there = copies_[number].load(std::memory_order_acquire);
  if (there != nullptr) return *there;
  // Whoever comes while a copy is made, or cannot have one, waits his turn at the first.
  const std::unique_lock held(exclusion_, std::try_to_lock);
  if (!held || kept_[number] != nullptr) return *first_;
  auto made = first_->copy();
  if (!made) return *first_;
  kept_[number] = std::move(*made);
  copies_[number].store(kept_[number].get(), std::memory_order_release);
  return *kept_[number];
}

std::expected<void, memory_error> resting_key::open(std::span<std::byte, key_size> out) const {
  return copy_for_this_thread().join_into(out);
}

}  // namespace lockfast::internal
