// random.cc - the seed that is kept, and the ChaCha blocks.
#include "allocator/base/random.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <new>
#include <span>

#include "allocator/base/bytes.h"
#include "allocator/base/metadata.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

constexpr int double_rounds = 4;
constexpr std::size_t block_count = 4;

// A word of the state in each of the four blocks.
using lanes [[gnu::vector_size(4 * block_count)]] = std::uint32_t;

lanes rotated(lanes word, int bits) { return (word << bits) | (word >> (32 - bits)); }

void quarter_round(lanes& a, lanes& b, lanes& c, lanes& d) {
  a += b, d = rotated(d ^ a, 16);
  c += d, b = rotated(b ^ c, 12);
  a += b, d = rotated(d ^ a, 8);
  c += d, b = rotated(b ^ c, 7);
}

// The keystream blocks of key at counters 0 to 3, word by word. A key is used once for each nonce.
void blocks(const std::uint32_t (&key)[8], const std::uint32_t (&nonce)[3], lanes (&out)[16]) {
  constexpr std::uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  lanes start[16] = {};
  for (std::size_t word = 0; word < 4; ++word) start[word] += constants[word];
  for (std::size_t word = 0; word < 8; ++word) start[4 + word] += key[word];
  start[12] = lanes{0, 1, 2, 3};
  for (std::size_t word = 0; word < 3; ++word) start[13 + word] += nonce[word];
  std::memcpy(out, start, sizeof start);
  for (int round = 0; round < double_rounds; ++round) {
    for (std::size_t column = 0; column < 4; ++column) {
      quarter_round(out[column], out[4 + column], out[8 + column], out[12 + column]);
    }
    for (std::size_t diagonal = 0; diagonal < 4; ++diagonal) {
      quarter_round(out[diagonal], out[4 + (diagonal + 1) % 4], out[8 + (diagonal + 2) % 4], out[12 + (diagonal + 3) % 4]);
    }
  }
  for (std::size_t word = 0; word < 16; ++word) out[word] += start[word];
  wipe(start, sizeof start);
}

// Beside the canaries' keys, which tell as much.
struct kept_seed {
  std::uint32_t key[8];
  std::atomic<std::uint64_t> drawn;
};

constinit std::atomic<kept_seed*> kept = nullptr;

// By a nonce of its own for each call, and for each process: a child has its parent's seed.
void draw_from(kept_seed& seed, std::span<std::byte> out) {
  while (!out.empty()) {
    const std::uint64_t number = seed.drawn.fetch_add(1, std::memory_order_relaxed);
    const std::uint32_t nonce[3] = {static_cast<std::uint32_t>(number), static_cast<std::uint32_t>(number >> 32),
                                    static_cast<std::uint32_t>(platform::process_id())};
    lanes made[16];
    blocks(seed.key, nonce, made);
    const std::size_t taken = std::min(out.size(), sizeof made);
    std::memcpy(out.data(), made, taken);
    wipe(made, sizeof made);
    out = out.subspan(taken);
  }
}

}  // namespace

platform::error keep_seed() {
  if (kept.load(std::memory_order_acquire) != nullptr) return 0;
  std::uint32_t drawn[8];
  if (const auto refusal = platform::try_random(std::as_writable_bytes(std::span(drawn))); refusal != 0) return refusal;
  std::byte* const place = metadata::take(sizeof(kept_seed));
  if (place == nullptr) return ENOMEM;
  auto* const made = new (place) kept_seed{};
  std::memcpy(made->key, drawn, sizeof drawn);
  wipe(drawn, sizeof drawn);
  kept_seed* none = nullptr;
  (void)kept.compare_exchange_strong(none, made, std::memory_order_acq_rel);
  return 0;
}

void draw_random(std::span<std::byte> out) {
  if (platform::try_random(out) != 0) draw_from(*kept.load(std::memory_order_acquire), out);
}

void random_choice::refill() {
  if (!seeded_) {
    draw_random(std::as_writable_bytes(std::span(key_)));
    seeded_ = true;
  }
  lanes out[16];
  blocks(key_, {}, out);
  std::memcpy(key_, out, sizeof key_);
  std::memcpy(choices_, reinterpret_cast<const std::byte*>(out) + sizeof key_, sizeof choices_);
  left_ = sizeof choices_;
  wipe(out, sizeof out);
}

}  // namespace lockfast::internal
