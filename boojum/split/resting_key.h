// resting_key.h - a key at rest: split, with the usual prekey; and whole while calls need it.
//
//    call 1   [ join, 17 us |      ]                        one opened key for all that overlap:
//    call 2        [ waits  |   ]                           wiped when the last of them ends
//    call 3                    [        ]
//
// An opened key serves the calls that begin within max_opened of its opening. Those that come later join anew, so that
// under calls without end no memory cell holds the key for much longer than that.
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

  // A random key. Refuses: refused.
  [[nodiscard]] static std::expected<std::shared_ptr<const resting_key>, memory_error> fresh();
  // This key. Refuses: refused.
  [[nodiscard]] static std::expected<std::shared_ptr<const resting_key>, memory_error> of(key_view key);

  resting_key(const resting_key&) = delete;
  resting_key& operator=(const resting_key&) = delete;
  ~resting_key();

  // Refuses: refused; damaged; unavailable - it stayed with the parent of a fork.
  [[nodiscard]] std::expected<opened, memory_error> open() const;

  // For fork.
  void lock() const { mutex_.lock(); }
  void unlock() const { mutex_.unlock(); }
  // Requires lock(): what threads of the parent have opened is theirs.
  void forget_opened() const { latest_.reset(); }

 private:
  explicit resting_key(std::shared_ptr<split_secret>&& split) : split_(std::move(split)) {}

  std::shared_ptr<split_secret> split_;
  mutable std::mutex mutex_;
  // The two are the mutex's.
  mutable std::weak_ptr<const opened_key> latest_;
  mutable std::chrono::steady_clock::time_point opened_at_;
};

}  // namespace lockfast::internal

#endif
