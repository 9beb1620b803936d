// share_masks.cc - BLAKE2bp; ChaCha20 and Poly1305 of libcrypto; and what is around them.
#include "boojum/split/share_masks.h"

#include <lockfast/lockfast.h>
#include <openssl/evp.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <new>

#include "boojum/crypto/blake2bp.h"
#include "boojum/crypto/cipher.h"
#include "boojum/crypto/openssl_algorithms.h"

namespace lockfast::internal {
namespace {

// Freed means cleansed: libcrypto's contexts wipe themselves.
template <auto Free>
struct freed_by {
  template <class Context>
  void operator()(Context* context) const {
    Free(context);
  }
};
using cipher_context = std::unique_ptr<EVP_CIPHER_CTX, freed_by<EVP_CIPHER_CTX_free>>;
using mac_context = std::unique_ptr<EVP_MAC_CTX, freed_by<EVP_MAC_CTX_free>>;

// What keeps the uses of one primitive apart.
using label = std::array<char, 16>;
constexpr label mask_label = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't', ' ', 'm', 'a', 's', 'k', ' ', ' ', '1'};
constexpr label mac_key_label = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't', ' ', 's', 'p', 'l', 'i', 't', ' ', '1'};
constexpr label mac_label = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't', ' ', 't', 'a', 'g', ' ', ' ', ' ', '1'};

constexpr std::size_t block_size = 16;        // of Poly1305
constexpr std::size_t max_at_once = 1 << 30;  // libcrypto takes lengths as int

unsigned char* unsigned_bytes(std::byte* bytes) { return reinterpret_cast<unsigned char*>(bytes); }
const unsigned char* unsigned_bytes(const std::byte* bytes) { return reinterpret_cast<const unsigned char*>(bytes); }

// target ^= ChaCha20 under key.
bool add_stream(std::span<const std::byte, 32> key, std::span<std::byte> target) {
  const openssl_algorithms* const all = algorithms();
  const cipher_context context(EVP_CIPHER_CTX_new());
  constexpr unsigned char start[16] = {};
  if (all == nullptr || context == nullptr ||
      EVP_EncryptInit_ex2(context.get(), all->chacha20, unsigned_bytes(key.data()), start, nullptr) != 1) {
    return false;
  }
  while (!target.empty()) {
    const std::size_t size = std::min(target.size(), max_at_once);
    unsigned char* const bytes = unsigned_bytes(target.data());
    int done = 0;
    if (EVP_EncryptUpdate(context.get(), bytes, &done, bytes, static_cast<int>(size)) != 1) return false;
    target = target.subspan(size);
  }
  return true;
}

std::uint64_t word_at(const std::byte* bytes) {
  std::uint64_t word;
  std::memcpy(&word, bytes, sizeof word);
  return word;
}

}  // namespace

bool can_mix() { return algorithms() != nullptr; }

void add(std::span<std::byte> target, std::span<const std::byte> source) {
  std::size_t at = 0;
  for (; at + 8 <= target.size(); at += 8) {
    const std::uint64_t sum = word_at(target.data() + at) ^ word_at(source.data() + at);
    std::memcpy(target.data() + at, &sum, sizeof sum);
  }
  for (; at < target.size(); ++at) target[at] ^= source[at];
}

// The cipher's state begins with the seed, so that it lies in the room, too.
void add_seeded(seed_view seed, std::span<std::byte> target, mixing_room room) {
  static_assert(sizeof(chacha20) <= decltype(room.digest)::extent && alignof(chacha20) <= mixing_room::alignment);
  constexpr std::array<std::byte, chacha20::nonce_size> start = {};
  auto* const cipher = new (room.digest.data()) chacha20(seed, start);
  cipher->add_keystream(0, target.data(), target.data(), target.size());
  std::destroy_at(cipher);
  wipe_traces();
}

bool add_mask(std::span<const std::byte> prekey, unsigned index, std::span<std::byte> target, mixing_room room) {
  const error_mark mark;
  const std::array<std::uint64_t, 2> which = {index, target.size()};
  std::array<std::byte, sizeof mask_label + sizeof which> head;
  std::memcpy(head.data(), mask_label.data(), sizeof mask_label);
  std::memcpy(head.data() + sizeof mask_label, which.data(), sizeof which);
  blake2bp(head, prekey, room.digest);
  wipe_traces();
  bool added = true;
  if (target.size() <= room.digest.size()) {
    add(target, room.digest.first(target.size()));
  } else {
    added = add_stream(room.digest.first<32>(), target);
  }
  lockfast_wipe(room.digest.data(), room.digest.size());
  return added;
}

bool tag_of(std::span<const std::byte, mac_key_size> key, std::span<const std::byte> secret, std::span<std::byte, mac_size> tag,
            mixing_room room) {
  const error_mark mark;
  // The key of HChaCha20 lies where the last block comes afterwards.
  std::ranges::copy(key, room.tail.begin());
  std::memcpy(room.tail.data() + key.size(), mac_key_label.data(), mac_key_label.size());
  hchacha20(room.tail, std::as_bytes(std::span(mac_label)), room.key);

  const std::size_t whole = secret.size() / block_size * block_size;
  const std::uint64_t size = secret.size();
  lockfast_wipe(room.tail.data(), room.tail.size());
  if (whole != size) std::memcpy(room.tail.data(), secret.data() + whole, size - whole);
  std::memcpy(room.tail.data() + block_size, &size, sizeof size);

  const openssl_algorithms* const all = algorithms();
  const mac_context context(all == nullptr ? nullptr : EVP_MAC_CTX_new(all->poly1305));
  std::size_t written = 0;
  const bool done = context != nullptr &&
                    EVP_MAC_init(context.get(), unsigned_bytes(room.key.data()), room.key.size(), nullptr) == 1 &&
                    (whole == 0 || EVP_MAC_update(context.get(), unsigned_bytes(secret.data()), whole) == 1) &&
                    EVP_MAC_update(context.get(), unsigned_bytes(room.tail.data()), room.tail.size()) == 1 &&
                    EVP_MAC_final(context.get(), unsigned_bytes(tag.data()), &written, tag.size()) == 1;
  lockfast_wipe(room.key.data(), room.key.size());
  lockfast_wipe(room.tail.data(), room.tail.size());
  return done && written == tag.size();
}

}  // namespace lockfast::internal
