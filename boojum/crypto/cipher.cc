// cipher.cc - the allocator's cipher, and what is wiped around it.
#include "boojum/crypto/cipher.h"

#include <lockfast/lockfast.h>

namespace lockfast::internal {
namespace {

// The most of the stack that libcrypto's assembler code and the calls around it use, in bytes, with room to spare.
constexpr std::size_t deepest_frames = 6144;

}  // namespace

[[gnu::noinline]] void wipe_stack() {
  std::byte frames[deepest_frames];
  lockfast_wipe(frames, sizeof frames);
}

void seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
          std::span<std::byte> sealed, std::span<std::byte, tag_size> tag) {
  aead::seal(key, nonce, associated, plain, sealed.data(), tag);
}

bool open(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> sealed,
          std::span<const std::byte, tag_size> tag, std::span<std::byte> plain) {
  if (aead::open(key, nonce, associated, sealed, tag, plain.data())) return true;
  lockfast_wipe(plain.data(), plain.size());
  return false;
}

void seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
          std::span<std::byte> sealed) {
  seal(key, nonce, associated, plain, sealed.first(plain.size()), sealed.last<tag_size>());
}

bool open(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> sealed,
          std::span<std::byte> plain) {
  return open(key, nonce, associated, sealed.first(plain.size()), sealed.last<tag_size>(), plain);
}

}  // namespace lockfast::internal
