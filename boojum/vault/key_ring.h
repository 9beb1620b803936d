// key_ring.h - the vault's key, and while records are sealed anew, the one before.
//
//    rotation 0:  epoch 0 = key A
//    rotation 1:  epoch 0 = key A, epoch 1 = key B     records move from A to B, one by one; new ones are sealed under B
//    rotation 2:  epoch 1 = key B                      A is gone
//
// A record says by one bit under which of two keys it is sealed. A reader takes a snapshot of the ring, so that a key lives
// as long as a call that uses it; when the rotation has changed since, the reader looks again.
//
// Threads: everything from any thread, but lock() and unlock(), which are for fork.
#ifndef LOCKFAST_BOOJUM_VAULT_KEY_RING_H
#define LOCKFAST_BOOJUM_VAULT_KEY_RING_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <mutex>

#include "boojum/crypto/cipher.h"
#include "boojum/split/resting_key.h"

namespace lockfast::internal {

class key_ring {
 public:
  struct snapshot {
    std::array<std::shared_ptr<const resting_key>, 2> by_epoch;
    std::uint32_t current = 0;
    std::uint64_t rotation = 0;
  };

  // Makes the first key where there is none yet. Refuses: refused.
  [[nodiscard]] std::expected<snapshot, memory_error> now();
  [[nodiscard]] std::uint64_t rotation() const;

  // Brings in a fresh key, unless a rotation is under way. A refusal changes nothing.
  [[nodiscard]] std::expected<void, memory_error> begin_turn();
  // Drops the key before. Requires that no record is sealed under it.
  void end_turn();

  // How long the oldest key has been in use; 0 where there is none.
  [[nodiscard]] std::chrono::steady_clock::duration age() const;

  void lock() {
    mutex_.lock();
    for (const auto& each : ring_.by_epoch) {
      if (each != nullptr) each->lock();
    }
  }
  // Requires lock().
  void forget_opened() {
    for (const auto& each : ring_.by_epoch) {
      if (each != nullptr) each->forget_opened();
    }
  }
  void unlock() {
    for (const auto& each : ring_.by_epoch) {
      if (each != nullptr) each->unlock();
    }
    mutex_.unlock();
  }

 private:
  mutable std::mutex mutex_;
  snapshot ring_;
  std::chrono::steady_clock::time_point since_;   // of the oldest key
  std::chrono::steady_clock::time_point rotated_;  // when the latest rotation began
};

// The keys of a snapshot for the length of a call, each opened when it is first asked for.
class open_keys {
 public:
  explicit open_keys(key_ring::snapshot&& of) : of_(std::move(of)) {}

  [[nodiscard]] std::uint32_t current() const { return of_.current; }
  [[nodiscard]] std::uint64_t rotation() const { return of_.rotation; }

  // Valid while this lives. Refuses as resting_key::open does; damaged where the snapshot has no such key.
  [[nodiscard]] std::expected<key_view, memory_error> of(std::uint32_t epoch);

 private:
  key_ring::snapshot of_;
  std::array<resting_key::opened, 2> opened_;
};

}  // namespace lockfast::internal

#endif
