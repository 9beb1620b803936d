// resting_key.cc - the opening of a key, and who may share one.
#include "boojum/split/resting_key.h"

#include <algorithm>
#include <new>
#include <utility>

#include "boojum/crypto/drawn.h"

namespace lockfast::internal {

resting_key::resting_key(std::shared_ptr<split_secret>&& split, std::chrono::milliseconds lease)
    : split_(std::move(split)),
      lease_(std::clamp(lease, std::chrono::milliseconds(0), max_opened)),
      latest_(std::make_shared<latest>()) {}

resting_key::~resting_key() {
  end_lease();
  (void)split_->wipe();
}

void resting_key::end_lease() const {
  const std::scoped_lock held(latest_->mutex);
  latest_->leased = nullptr;
}

// A later lease has a later lapse of its own.
void resting_key::latest::lapse() {
  const std::scoped_lock held(mutex);
  if (std::chrono::steady_clock::now() >= lease_end || !rounds_go_on()) leased = nullptr;
}

std::expected<std::shared_ptr<const resting_key>, memory_error> resting_key::fresh(std::chrono::milliseconds lease) {
  const scratch key(key_size);
  if (key.refused()) return std::unexpected(memory_error::denied);
  if (auto drawn = draw_bytes(key.bytes()); !drawn) return std::unexpected(drawn.error());
  return of(key_view(key.data(), key_size), lease);
}

std::expected<std::shared_ptr<const resting_key>, memory_error> resting_key::of(key_view key, std::chrono::milliseconds lease) {
  try {
    const split_secret::options wanted = {.remix = remix_policy::on_demand};
    auto split = split_secret::split(key, wanted);
    if (!split) return std::unexpected(split.error());
    return std::shared_ptr<const resting_key>(new resting_key(std::move(*split), lease));
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

std::expected<resting_key::opened, memory_error> resting_key::open() const {
  const std::scoped_lock held(latest_->mutex);
  const auto now = std::chrono::steady_clock::now();
  if (opened there = latest_->key.lock(); there != nullptr && now - latest_->opened_at < max_opened) return there;
  latest_->leased = nullptr;
  try {
    auto made = std::make_shared<opened_key>();
    if (made->refused()) return std::unexpected(memory_error::denied);
    if (auto joined = split_->join_into(made->bytes_.bytes()); !joined) return std::unexpected(joined.error());
    latest_->key = made;
    latest_->opened_at = now;
    latest_->lease_end = now + lease_;
    if (lease_.count() > 0 && lapse_at(latest_->lease_end, latest_)) latest_->leased = made;
    return made;
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

}  // namespace lockfast::internal
