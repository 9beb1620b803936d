// nonce.cc - one draw from the system's generator, and the clocks.
#include "boojum/crypto/nonce.h"

#include <chrono>
#include <cstdint>
#include <cstring>

#include "platform/platform.h"

namespace lockfast::internal {
namespace {

template <class Clock>
std::uint64_t ticks() {
  return static_cast<std::uint64_t>(Clock::now().time_since_epoch().count());
}

void mix(std::byte* into, std::uint64_t number) {
  std::uint64_t word;
  std::memcpy(&word, into, sizeof word);
  word ^= number;
  std::memcpy(into, &word, sizeof word);
}

}  // namespace

std::expected<nonce, int> fresh_nonce() {
  nonce made;
  if (const int refusal = fresh_nonces({&made, 1}); refusal != 0) return std::unexpected(refusal);
  return made;
}

int fresh_nonces(std::span<nonce> out) {
  if (const int refusal = platform::try_random(std::as_writable_bytes(out)); refusal != 0) return refusal;
  const std::uint64_t wall = ticks<std::chrono::system_clock>();
  const std::uint64_t monotonic = ticks<std::chrono::steady_clock>();
  for (nonce& each : out) {
    mix(each.data(), wall);
    mix(each.data() + sizeof wall, monotonic);
  }
  return 0;
}

}  // namespace lockfast::internal
