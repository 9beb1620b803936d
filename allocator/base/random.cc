// random.cc - the ChaCha blocks and their refill.
#include "allocator/base/random.h"

#include <cstring>
#include <span>

#include "allocator/base/bytes.h"
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

// The keystream blocks of key at counters 0 to 3 and nonce 0, word by word: a key is used once.
void blocks(const std::uint32_t (&key)[8], lanes (&out)[16]) {
  constexpr std::uint32_t constants[4] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  lanes start[16] = {};
  for (std::size_t word = 0; word < 4; ++word) start[word] += constants[word];
  for (std::size_t word = 0; word < 8; ++word) start[4 + word] += key[word];
  start[12] = lanes{0, 1, 2, 3};
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

}  // namespace

void random_choice::refill() {
  if (!seeded_) {
    platform::random(std::as_writable_bytes(std::span(key_)));
    seeded_ = true;
  }
  lanes out[16];
  blocks(key_, out);
  std::memcpy(key_, out, sizeof key_);
  std::memcpy(choices_, reinterpret_cast<const std::byte*>(out) + sizeof key_, sizeof choices_);
  left_ = sizeof choices_;
  wipe(out, sizeof out);
}

}  // namespace lockfast::internal
