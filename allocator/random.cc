// random.cc - the ChaCha block and its refill.
#include "allocator/random.h"

#include <bit>
#include <cstring>
#include <span>

#include "allocator/bytes.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

constexpr int double_rounds = 4;

void quarter_round(std::uint32_t& a, std::uint32_t& b, std::uint32_t& c, std::uint32_t& d) {
  a += b, d = std::rotl(d ^ a, 16);
  c += d, b = std::rotl(b ^ c, 12);
  a += b, d = std::rotl(d ^ a, 8);
  c += d, b = std::rotl(b ^ c, 7);
}

// The keystream block of key at counter and nonce 0: a key is used once.
void block(const std::uint32_t (&key)[8], std::uint32_t (&out)[16]) {
  std::uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
  std::memcpy(start + 4, key, sizeof key);
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
  std::uint32_t out[16];
  block(key_, out);
  std::memcpy(key_, out, sizeof key_);
  std::memcpy(choices_, out + 8, sizeof choices_);
  used_ = 0;
  wipe(out, sizeof out);
}

}  // namespace lockfast::internal
