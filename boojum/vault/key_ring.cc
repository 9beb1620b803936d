// key_ring.cc - the making of keys, and their turns.
#include "boojum/crypto/drawn.h"
#include "boojum/vault/key_ring.h"

#include <utility>

namespace lockfast::internal {

std::expected<key_ring::snapshot, memory_error> key_ring::now() {
  const std::scoped_lock held(mutex_);
  if (is_sealed_) return std::unexpected(memory_error::locked);
  if (ring_.by_epoch[ring_.current] == nullptr) {
    auto first = resting_key::fresh(lease_);
    if (!first) return std::unexpected(first.error());
    ring_.by_epoch[ring_.current] = std::move(*first);
    since_ = std::chrono::steady_clock::now();
  }
  return ring_;
}

std::uint64_t key_ring::rotation() const {
  const std::scoped_lock held(mutex_);
  return ring_.rotation;
}

std::expected<void, memory_error> key_ring::begin_turn() {
  const std::scoped_lock held(mutex_);
  if (is_sealed_) return std::unexpected(memory_error::locked);
  const std::uint32_t next = 1 - ring_.current;
  if (ring_.by_epoch[next] != nullptr) return {};
  auto fresh = resting_key::fresh(lease_);
  if (!fresh) return std::unexpected(fresh.error());
  ring_.by_epoch[next] = std::move(*fresh);
  ring_.current = next;
  ++ring_.rotation;
  rotated_ = std::chrono::steady_clock::now();
  return {};
}

void key_ring::end_turn() {
  std::shared_ptr<const resting_key> gone;
  const std::scoped_lock held(mutex_);
  gone = std::move(ring_.by_epoch[1 - ring_.current]);
  if (gone != nullptr) gone->end_lease();
  ring_.by_epoch[1 - ring_.current] = nullptr;
  ++ring_.rotation;
  since_ = rotated_;
}

std::expected<void, memory_error> key_ring::seal_under(key_view key) {
  std::array<std::shared_ptr<const resting_key>, 2> gone;
  const std::scoped_lock held(mutex_);
  if (is_sealed_) return {};
  for (std::size_t epoch = 0; epoch < sealed_.size(); ++epoch) {
    sealed_key& into = sealed_[epoch];
    into.is_there = ring_.by_epoch[epoch] != nullptr;
    if (!into.is_there) continue;
    const auto opened = ring_.by_epoch[epoch]->open();
    if (!opened) return std::unexpected(opened.error());
    const auto once = draw_nonce();
    if (!once) return std::unexpected(once.error());
    into.once = *once;
    const std::byte associated[] = {static_cast<std::byte>(epoch)};
    seal(key, into.once, associated, (*opened)->view(), into.bytes);
  }
  gone.swap(ring_.by_epoch);
  for (const auto& each : gone) {
    if (each != nullptr) each->end_lease();
  }
  is_sealed_ = true;
  return {};
}

std::expected<void, memory_error> key_ring::open_under(key_view key) {
  auto opened = opened_under(key);
  if (!opened) return std::unexpected(opened.error());
  put_back(std::move(*opened));
  return {};
}

std::expected<key_ring::opened_keys, memory_error> key_ring::opened_under(key_view key) const {
  const std::scoped_lock held(mutex_);
  opened_keys opened;
  if (!is_sealed_) return opened;
  for (std::size_t epoch = 0; epoch < sealed_.size(); ++epoch) {
    const sealed_key& from = sealed_[epoch];
    if (!from.is_there) continue;
    const scratch whole(key_size);
    if (whole.refused()) return std::unexpected(memory_error::denied);
    const std::byte associated[] = {static_cast<std::byte>(epoch)};
    if (!open(key, from.once, associated, from.bytes, whole.bytes())) return std::unexpected(memory_error::wrong_passphrase);
    auto resting = resting_key::of(key_view(whole.data(), key_size), lease_);
    if (!resting) return std::unexpected(resting.error());
    opened[epoch] = std::move(*resting);
  }
  return opened;
}

void key_ring::put_back(opened_keys&& opened) {
  const std::scoped_lock held(mutex_);
  if (!is_sealed_) return;
  ring_.by_epoch = std::move(opened);
  sealed_ = {};
  is_sealed_ = false;
}

std::chrono::steady_clock::duration key_ring::age() const {
  const std::scoped_lock held(mutex_);
  if (ring_.by_epoch[ring_.current] == nullptr) return {};
  return std::chrono::steady_clock::now() - since_;
}

std::expected<key_view, memory_error> open_keys::of(std::uint32_t epoch) {
  resting_key::opened& wanted = opened_[epoch & 1];
  if (wanted == nullptr) {
    const auto& resting = of_.by_epoch[epoch & 1];
    if (resting == nullptr) return std::unexpected(memory_error::damaged);
    auto opened = resting->open();
    if (!opened) return std::unexpected(opened.error());
    wanted = std::move(*opened);
  }
  return wanted->view();
}

}  // namespace lockfast::internal
