// resting_key.h - a key at rest: split, with a prekey of 16 KiB, in as many copies as readers need not to wait for each other.
//
//    copy 0     the readers that came 1st, 5th, ...      copy 1     those that came 2nd, 6th, ...      ...
//
// A split secret is joined by one thread at a time. Each thread keeps to a copy of its own number, made when it is first
// asked for, from copy 0 and without forming the key; every copy has shares of its own, which the refresher mixes anew.
//
// Threads: everything from any thread, but lock() and unlock(), which are for fork.
#ifndef LOCKFAST_BOOJUM_RESTING_KEY_H
#define LOCKFAST_BOOJUM_RESTING_KEY_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <atomic>
#include <cstddef>
#include <expected>
#include <memory>
#include <mutex>
#include <span>

#include "boojum/cipher.h"
#include "boojum/split_secret.h"

namespace lockfast::internal {

class resting_key {
 public:
  static constexpr std::size_t prekey_size = 16 * 1024;
  static constexpr std::size_t most_copies = 4;

  // A random key. Refuses: refused.
  [[nodiscard]] static std::expected<std::shared_ptr<const resting_key>, memory_error> fresh();

  resting_key(const resting_key&) = delete;
  resting_key& operator=(const resting_key&) = delete;
  ~resting_key();

  // Writes the key into locked memory of the caller's own. Refuses: refused; damaged; unavailable - it stayed with the parent
  // of a fork.
  [[nodiscard]] std::expected<void, memory_error> open(std::span<std::byte, key_size> out) const;

  // For fork: no copy is half made.
  void lock() const { exclusion_.lock(); }
  void unlock() const { exclusion_.unlock(); }

 private:
  explicit resting_key(std::shared_ptr<split_secret>&& first);

  [[nodiscard]] split_secret& copy_for_this_thread() const;

  std::shared_ptr<split_secret> first_;
  mutable std::array<std::atomic<split_secret*>, most_copies> copies_ = {};
  // What keeps the copies.
  mutable std::mutex exclusion_;
  mutable std::array<std::shared_ptr<split_secret>, most_copies> kept_;
};

}  // namespace lockfast::internal

#endif
