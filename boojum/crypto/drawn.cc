// drawn.cc - the refusals, noted.
#include "boojum/crypto/drawn.h"

#include "boojum/memory/error_note.h"
#include "platform/platform.h"

namespace lockfast::internal {
namespace {

// Also by functions that note nothing else: so what an earlier call has noted goes.
std::unexpected<memory_error> refused_random(int number) {
  forget_note();
  return refused_because(
      memory_error::denied, nullptr,
      "the system gives no random bytes (errno %d): a filter of system calls forbids getrandom and /dev/urandom", number);
}

}  // namespace

std::expected<void, memory_error> draw_bytes(std::span<std::byte> out) {
  if (const int refusal = platform::try_random(out); refusal != 0) return refused_random(refusal);
  return {};
}

std::expected<nonce, memory_error> draw_nonce() {
  const auto made = fresh_nonce();
  if (!made) return refused_random(made.error());
  return *made;
}

std::expected<void, memory_error> draw_nonces(std::span<nonce> out) {
  if (const int refusal = fresh_nonces(out); refusal != 0) return refused_random(refusal);
  return {};
}

}  // namespace lockfast::internal
