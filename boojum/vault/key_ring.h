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
#include "boojum/crypto/nonce.h"
#include "boojum/split/resting_key.h"

namespace lockfast::internal {

class key_ring {
 public:
  struct snapshot {
    std::array<std::shared_ptr<const resting_key>, 2> by_epoch;
    std::uint32_t current = 0;
    std::uint64_t rotation = 0;
  };

  // The keys' leases are as resting_key has them.
  explicit key_ring(std::chrono::milliseconds lease) : lease_(lease) {}

  // Makes the first key where there is none yet. Refuses: refused; locked - the keys are sealed.
  [[nodiscard]] std::expected<snapshot, memory_error> now();
  [[nodiscard]] std::uint64_t rotation() const;

  // Gives the keys up for what they are sealed to; afterwards now() refuses with locked. Does nothing where they are sealed. A refusal
  // changes nothing: denied, unavailable.
  [[nodiscard]] std::expected<void, memory_error> seal_under(key_view key);
  // The reverse. wrong_passphrase - another key; denied.
  [[nodiscard]] std::expected<void, memory_error> open_under(key_view key);
  // The same in two steps, of which the second refuses nothing: two rings are put back together, or none. Requires that nobody
  // else seals or opens meanwhile.
  using opened_keys = std::array<std::shared_ptr<const resting_key>, 2>;  // by epoch
  [[nodiscard]] std::expected<opened_keys, memory_error> opened_under(key_view key) const;
  void put_back(opened_keys&& opened);

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
  struct sealed_key {
    bool is_there = false;
    nonce once;
    std::array<std::byte, key_size + tag_size> bytes;
  };

  const std::chrono::milliseconds lease_;
  mutable std::mutex mutex_;
  snapshot ring_;
  bool is_sealed_ = false;
  std::array<sealed_key, 2> sealed_;               // by epoch
  std::chrono::steady_clock::time_point since_;    // of the oldest key
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
