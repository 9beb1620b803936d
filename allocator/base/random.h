// random.h - random bytes for canaries, and unpredictable choices that are cheap enough for every allocation.
//
// Both come from the system. A process may lose its generator: a sandbox that it enters may refuse getrandom and the device. What
// the system gave at the start is kept then, and new bytes are made of it: enough for canaries and places, which nobody who reads
// this process has to guess. Keys of secrets come from platform::try_random alone.
//
// Choices:
// ChaCha with 8 rounds (RFC 8439 has the rounds), seeded by the system, four blocks at a time, with fast key erasure: the first
// 32 bytes are the next key, so that an attacker who reads the state learns no choice of earlier blocks.
//
// Threads: draw_random and keep_seed from any; a random_choice belongs to the thread that holds its owner's mutex.
#ifndef LOCKFAST_ALLOCATOR_BASE_RANDOM_H
#define LOCKFAST_ALLOCATOR_BASE_RANDOM_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "platform/platform.h"

namespace lockfast::internal {

// Draws what draw_random needs where the system refuses later: an allocator starts by it. Once it has succeeded it does so always.
[[nodiscard]] platform::error keep_seed();
// Requires that keep_seed has succeeded, in this process or in one that it was forked from.
void draw_random(std::span<std::byte> out);

class random_choice {
 public:
  constexpr random_choice() = default;

  // A number below bound, which is 1 to 65536. The bias is below bound / 65536.
  [[nodiscard]] std::size_t below(std::size_t bound) {
    if (bound == 1) return 0;
    if (left_ < 2) refill();
    left_ -= 2;
    const std::size_t choice = choices_[left_] + (std::size_t{choices_[left_ + 1]} << 8);
    return (choice * bound) >> 16;
  }
  // Random bits for several choices below small powers of two.
  [[nodiscard]] std::uint64_t word() {
    std::uint64_t bits;
    if (left_ < sizeof bits) refill();
    left_ -= sizeof bits;
    std::memcpy(&bits, choices_ + left_, sizeof bits);
    return bits;
  }

  // Forgets its state: the next choice is seeded anew. For a forked child, which would repeat its parent's choices.
  void reseed() {
    seeded_ = false;
    left_ = 0;
  }

 private:
  static constexpr std::size_t choice_bytes = 256 - 32;

  void refill();

  std::uint32_t key_[8] = {};
  std::uint8_t choices_[choice_bytes] = {};
  std::size_t left_ = 0;  // of choices_, the first ones
  bool seeded_ = false;
};

}  // namespace lockfast::internal

#endif
