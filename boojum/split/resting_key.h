// resting_key.h - a key at rest: split, with the usual prekey; and whole while calls need it.
//
//    call 1   [ join, 17 us |      ]                        one opened key for all that overlap:
//    call 2        [ waits  |   ]                           wiped when the last of them ends,
//    call 3                    [        ]
//    lease                  [                     ]         and not before the lease ends, where there is one
//
// An opened key serves the calls that begin within max_opened of its opening. Those that come later join again, so that
// under calls without end no memory cell holds the key for much longer than that.
//
// Invariants
//   1. A lease ends at its time at the latest, by the refresher; when the key goes; and before a fork.
//   2. Without a refresher that goes on there is no lease.
//
// Threads: everything from any thread, but lock() and what follows a fork.
#ifndef LOCKFAST_BOOJUM_SPLIT_RESTING_KEY_H
#define LOCKFAST_BOOJUM_SPLIT_RESTING_KEY_H

#include <lockfast/memory_error.hpp>

#include <chrono>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>

#include "boojum/crypto/cipher.h"
#include "boojum/memory/refresher.h"
#include "boojum/memory/scratch.h"
#include "boojum/split/split_secret.h"

namespace lockfast::internal {

// A whole key in locked memory, wiped when it goes.
class opened_key {
 public:
  opened_key() : bytes_(key_size) {}

  [[nodiscard]] bool refused() const { return bytes_.refused(); }
  [[nodiscard]] key_view view() const { return key_view(bytes_.data(), key_size); }

 private:
  friend class resting_key;

  scratch bytes_;
};

class resting_key {
 public:
  static constexpr std::chrono::milliseconds max_opened{10};

  using opened = std::shared_ptr<const opened_key>;

  // A random key, whose opened one stays whole for the length of a lease, at most max_opened. Refuses: refused.
  [[nodiscard]] static std::expected<std::shared_ptr<const resting_key>, memory_error> fresh(
      std::chrono::milliseconds lease = std::chrono::milliseconds(0));
  // This key. Refuses: refused.
  [[nodiscard]] static std::expected<std::shared_ptr<const resting_key>, memory_error> of(
      key_view key, std::chrono::milliseconds lease = std::chrono::milliseconds(0));

  resting_key(const resting_key&) = delete;
  resting_key& operator=(const resting_key&) = delete;
  ~resting_key();

  // Refuses: refused; damaged; unavailable - it stayed with the parent of a fork.
  [[nodiscard]] std::expected<opened, memory_error> open() const;

  // Leaves an opened key to the calls that use it.
  void end_lease() const;

  // For fork; lock() ends the lease, so that a child has none.
  void lock() const {
    latest_->mutex.lock();
    latest_->leased = nullptr;
  }
  void unlock() const { latest_->mutex.unlock(); }
  // Requires lock(): what threads of the parent have opened is theirs.
  void forget_opened() const { latest_->key.reset(); }

 private:
  // What was opened last. The refresher may have it when the key is gone.
  struct latest final : refreshable {
    void round() override {}
    void lapse() override;

    // Held while a leased key is wiped, so that no fork comes between.
    std::mutex mutex;
    std::weak_ptr<const opened_key> key;
    opened leased;
    std::chrono::steady_clock::time_point opened_at;
    std::chrono::steady_clock::time_point lease_end;
  };

  resting_key(std::shared_ptr<split_secret>&& split, std::chrono::milliseconds lease);

  std::shared_ptr<split_secret> split_;
  std::chrono::milliseconds lease_;
  std::shared_ptr<latest> latest_;
};

}  // namespace lockfast::internal

#endif
