// resting_key.cc - the opening of a key, and who may share one.
#include "boojum/split/resting_key.h"

#include <new>
#include <utility>

namespace lockfast::internal {

resting_key::~resting_key() { (void)split_->wipe(); }

std::expected<std::shared_ptr<const resting_key>, memory_error> resting_key::fresh() {
  const scratch key(key_size);
  if (key.refused()) return std::unexpected(memory_error::denied);
  lockfast_random(key.data(), key_size);
  return of(key_view(key.data(), key_size));
}

std::expected<std::shared_ptr<const resting_key>, memory_error> resting_key::of(key_view key) {
  try {
    const split_secret::options wanted = {.remix = remix_policy::on_demand};
    auto split = split_secret::split(key, wanted);
    if (!split) return std::unexpected(split.error());
    return std::shared_ptr<const resting_key>(new resting_key(std::move(*split)));
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

std::expected<resting_key::opened, memory_error> resting_key::open() const {
  const std::scoped_lock held(mutex_);
  const auto now = std::chrono::steady_clock::now();
  if (opened there = latest_.lock(); there != nullptr && now - opened_at_ < max_opened) return there;
  try {
    const auto made = std::make_shared<opened_key>();
    if (made->refused()) return std::unexpected(memory_error::denied);
    if (auto joined = split_->join_into(made->bytes_.bytes()); !joined) return std::unexpected(joined.error());
    latest_ = made;
    opened_at_ = now;
    return made;
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

}  // namespace lockfast::internal
