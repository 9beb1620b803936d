// cipher.cc - HChaCha20, and libcrypto's ChaCha20-Poly1305 below it.
#include "boojum/cipher.h"

#include <lockfast/lockfast.h>
#include <openssl/evp.h>

#include <algorithm>
#include <cstring>

#include "boojum/openssl_algorithms.h"

namespace lockfast::internal {
namespace {

// The most of the stack that libcrypto's assembler code and the calls around it use, in bytes, with room to spare.
constexpr std::size_t deepest_frames = 6144;

// libcrypto takes lengths as int.
constexpr std::size_t most_at_once = std::size_t{1} << 30;

constexpr int encrypt = 1;
constexpr int decrypt = 0;

const unsigned char* unsigned_bytes(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }
unsigned char* unsigned_bytes(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }

}  // namespace

[[gnu::noinline]] void wipe_stack() {
  std::byte frames[deepest_frames];
  lockfast_wipe(frames, sizeof frames);
}

cipher::cipher() : context_(EVP_CIPHER_CTX_new()), subkey_(key_size) { ERR_set_mark(); }

cipher::~cipher() {
  EVP_CIPHER_CTX_free(context_);
  ERR_pop_to_mark();
  wipe_stack();
}

bool cipher::begin(key_view key, nonce_view nonce, std::span<const std::byte> associated, int direction) {
  if (context_ == nullptr || subkey_.refused()) return false;
  const EVP_CIPHER* wanted = nullptr;
  if (!keyed_) {
    const openssl_algorithms* const all = algorithms();
    if (all == nullptr) return false;
    wanted = all->chacha20_poly1305;
  }
  hchacha20(key, nonce.first<16>(), subkey_.bytes().first<key_size>());
  // Four zeros in front of what HChaCha20 has left of the nonce make the 12 bytes of RFC 8439.
  unsigned char rest[12] = {};
  std::memcpy(rest + 4, nonce.data() + 16, 8);
  keyed_ = EVP_CipherInit_ex(context_, wanted, nullptr, unsigned_bytes(subkey_.data()), rest, direction) == 1;
  return keyed_ && run(associated, nullptr);
}

bool cipher::run(std::span<const std::byte> from, std::byte* to) {
  while (!from.empty()) {
    const std::size_t size = std::min(from.size(), most_at_once);
    int done = 0;
    unsigned char* const out = to == nullptr ? nullptr : unsigned_bytes(to);
    if (EVP_CipherUpdate(context_, out, &done, unsigned_bytes(from.data()), static_cast<int>(size)) != 1) return false;
    from = from.subspan(size);
    if (to != nullptr) to += size;
  }
  return true;
}

cipher_result cipher::seal(key_view key, nonce_view nonce, std::span<const std::byte> associated,
                           std::span<const std::byte> plain, std::span<std::byte> sealed) {
  return seal(key, nonce, associated, plain, sealed.first(plain.size()), sealed.last<tag_size>());
}

cipher_result cipher::open(key_view key, nonce_view nonce, std::span<const std::byte> associated,
                           std::span<const std::byte> sealed, std::span<std::byte> plain) {
  return open(key, nonce, associated, sealed.first(plain.size()), sealed.last<tag_size>(), plain);
}

cipher_result cipher::seal(key_view key, nonce_view nonce, std::span<const std::byte> associated,
                           std::span<const std::byte> plain, std::span<std::byte> sealed, std::span<std::byte, tag_size> tag) {
  int none = 0;
  unsigned char* const tag_bytes = unsigned_bytes(tag.data());
  if (begin(key, nonce, associated, encrypt) && run(plain, sealed.data()) &&
      EVP_CipherFinal_ex(context_, tag_bytes, &none) == 1 &&
      EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_GET_TAG, static_cast<int>(tag_size), tag_bytes) == 1) {
    return cipher_result::done;
  }
  lockfast_wipe(sealed.data(), sealed.size());
  lockfast_wipe(tag.data(), tag.size());
  return cipher_result::refused;
}

cipher_result cipher::open(key_view key, nonce_view nonce, std::span<const std::byte> associated,
                           std::span<const std::byte> sealed, std::span<const std::byte, tag_size> tag,
                           std::span<std::byte> plain) {
  int none = 0;
  unsigned char wanted[tag_size];
  std::memcpy(wanted, tag.data(), tag_size);
  const bool begun = begin(key, nonce, associated, decrypt) &&
                     EVP_CIPHER_CTX_ctrl(context_, EVP_CTRL_AEAD_SET_TAG, static_cast<int>(tag_size), wanted) == 1 &&
                     run(sealed, plain.data());
  if (begun && EVP_CipherFinal_ex(context_, wanted, &none) == 1) return cipher_result::done;
  lockfast_wipe(plain.data(), plain.size());
  return begun ? cipher_result::damaged : cipher_result::refused;
}

cipher_result seal(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> plain,
                   std::span<std::byte> sealed) {
  return cipher().seal(key, nonce, associated, plain, sealed);
}

cipher_result open(key_view key, nonce_view nonce, std::span<const std::byte> associated, std::span<const std::byte> sealed,
                   std::span<std::byte> plain) {
  return cipher().open(key, nonce, associated, sealed, plain);
}

}  // namespace lockfast::internal
