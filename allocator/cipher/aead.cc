// aead.cc - the construction, over the cipher and the authenticator.
#include "allocator/cipher/aead.h"

#include <cstring>

#include "allocator/base/bytes.h"
#include "allocator/cipher/aead_message.h"

namespace lockfast::internal {
namespace {

using bytes_view = aead::bytes_view;

// A message by itself.
class single : public aead_message {
 public:
  single(aead::key_view key, aead::short_nonce_view nonce) : aead_message(key, nonce, head_) {
    chacha20(key, nonce).first_blocks(head_);
  }
  ~single() { wipe(head_, sizeof head_); }
  single(const single&) = delete;
  single& operator=(const single&) = delete;

 private:
  std::byte head_[head_size];
};

// Of the extended nonce: the subkey that HChaCha20 makes of its first 16 bytes, and four zeros before the rest.
class extended {
 public:
  extended(aead::key_view key, aead::nonce_view nonce) {
    hchacha20(key, nonce.first<16>(), subkey_);
    std::memcpy(rest_ + 4, nonce.data() + 16, 8);
  }
  ~extended() { wipe(subkey_, sizeof subkey_); }

  [[nodiscard]] aead::key_view key() const { return subkey_; }
  [[nodiscard]] aead::short_nonce_view nonce() const { return rest_; }

 private:
  std::byte subkey_[aead::key_size];
  std::byte rest_[aead::short_nonce_size] = {};
};

enum class wanted : unsigned char { verdict, plain };

// Each in a frame of its own, which is below the caller's, so that wipe_traces() reaches it.
[[gnu::noinline]] void seal_message(aead::key_view key, aead::short_nonce_view nonce, bytes_view associated, bytes_view plain,
                                    std::byte* sealed, std::span<std::byte, aead::tag_size> tag) {
  const single one(key, nonce);
  one.add_keystream(plain.data(), sealed, plain.size());
  one.authenticate(associated, {sealed, plain.size()}, tag);
}

[[gnu::noinline]] bool open_message(aead::key_view key, aead::short_nonce_view nonce, bytes_view associated, bytes_view sealed,
                                    std::span<const std::byte, aead::tag_size> tag, std::byte* plain, wanted what) {
  const single one(key, nonce);
  std::byte expected[aead::tag_size];
  one.authenticate(associated, sealed, expected);
  const bool authentic = equal(expected, tag.data(), sizeof expected);
  // The right tag of a message that somebody else made is a forgery.
  wipe(expected, sizeof expected);
  if (authentic && what == wanted::plain) one.add_keystream(sealed.data(), plain, sealed.size());
  return authentic;
}

[[gnu::noinline]] void seal_extended(aead::key_view key, aead::nonce_view nonce, bytes_view associated, bytes_view plain,
                                     std::byte* sealed, std::span<std::byte, aead::tag_size> tag) {
  const extended one(key, nonce);
  seal_message(one.key(), one.nonce(), associated, plain, sealed, tag);
}

[[gnu::noinline]] bool open_extended(aead::key_view key, aead::nonce_view nonce, bytes_view associated, bytes_view sealed,
                                     std::span<const std::byte, aead::tag_size> tag, std::byte* plain) {
  const extended one(key, nonce);
  return open_message(one.key(), one.nonce(), associated, sealed, tag, plain, wanted::plain);
}

}  // namespace

void aead::seal(key_view key, nonce_view nonce, bytes_view associated, bytes_view plain, std::byte* sealed,
                std::span<std::byte, tag_size> tag) {
  seal_extended(key, nonce, associated, plain, sealed, tag);
  wipe_traces();
}

void aead::seal(key_view key, short_nonce_view nonce, bytes_view associated, bytes_view plain, std::byte* sealed,
                std::span<std::byte, tag_size> tag) {
  seal_message(key, nonce, associated, plain, sealed, tag);
  wipe_traces();
}

bool aead::open(key_view key, nonce_view nonce, bytes_view associated, bytes_view sealed,
                std::span<const std::byte, tag_size> tag, std::byte* plain) {
  const bool authentic = open_extended(key, nonce, associated, sealed, tag, plain);
  wipe_traces();
  return authentic;
}

bool aead::open(key_view key, short_nonce_view nonce, bytes_view associated, bytes_view sealed,
                std::span<const std::byte, tag_size> tag, std::byte* plain) {
  const bool authentic = open_message(key, nonce, associated, sealed, tag, plain, wanted::plain);
  wipe_traces();
  return authentic;
}

bool aead::authentic(key_view key, short_nonce_view nonce, bytes_view associated, bytes_view sealed,
                     std::span<const std::byte, tag_size> tag) {
  const bool is = open_message(key, nonce, associated, sealed, tag, nullptr, wanted::verdict);
  wipe_traces();
  return is;
}

}  // namespace lockfast::internal
