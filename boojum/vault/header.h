// header.h - the first bytes of a saved vault (docs/vault.md), and the keys that they lead to.
//
//    | 112 bytes: magic, format, cost of the key, chunk size, salt, identity, counts, the file's nonce | mark |
//
//    key        = the passphrase, stretched with the salt at the cost that the header says; or
//                 HMAC-SHA-256(raw key, label | salt)
//    format 1     mark = tag of XChaCha20-Poly1305, 16 bytes              chunks under the key
//    format 2     mark = HMAC-SHA-256(key, label | 112 bytes), 32 bytes   chunks under HMAC-SHA-256(key, another label)
//
// The mark of format 2 commits to the key: no two keys that anybody can find fit one header. That of format 1 does not.
//
// Threads: any.
#ifndef LOCKFAST_BOOJUM_VAULT_HEADER_H
#define LOCKFAST_BOOJUM_VAULT_HEADER_H

#include <lockfast/vault.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <span>

#include "boojum/crypto/cipher.h"
#include "boojum/memory/scratch.h"

namespace lockfast::internal {

// How a passphrase becomes a key, and what that costs.
struct stretching {
  vault::kdf function = vault::kdf::scrypt;
  std::uint32_t cost = 0;      // log2 of the memory in KiB, at r = 8 for scrypt: log2 of N
  std::uint32_t block = 8;     // scrypt's r, or the passes of Argon2id
  std::uint32_t parallel = 1;  // scrypt's p, or the lanes of Argon2id
};

using file_nonce = std::array<std::byte, 16>;

struct vault_file_header {
  static constexpr std::uint32_t newest_format = 2;

  std::uint32_t format = newest_format;
  stretching key;
  std::uint32_t chunk = 16384;  // plain bytes
  std::array<std::byte, 32> salt = {};
  std::array<std::byte, 16> identity = {};
  std::uint64_t saves = 0;
  std::uint64_t records = 0;
  file_nonce once = {};  // drawn for each save, so that it names the file
};

// A header as the file has it, with room for the mark.
class stored_header {
 public:
  static constexpr std::size_t described_size = 112;
  static constexpr std::size_t max_size = described_size + 32;

  stored_header() = default;
  explicit stored_header(const vault_file_header& header);

  [[nodiscard]] std::size_t size() const { return described_size + mark_size_; }
  [[nodiscard]] std::span<const std::byte> bytes() const { return std::span(bytes_).first(size()); }
  [[nodiscard]] std::span<std::byte> room() { return bytes_; }
  [[nodiscard]] std::span<const std::byte> described() const { return std::span(bytes_).first(described_size); }
  [[nodiscard]] std::span<const std::byte> mark() const { return bytes().subspan(described_size); }
  [[nodiscard]] std::span<std::byte> mark() { return std::span(bytes_).subspan(described_size, mark_size_); }

  // Reads the fields of what was put into room(), of which size bytes are there. Refuses: damaged - no vault's file;
  // unsupported - a format, a function or a chunk size that this version does not know. The path is for notes.
  [[nodiscard]] std::expected<vault_file_header, memory_error> parse(std::size_t size, const char* path = nullptr);

 private:
  std::array<std::byte, max_size> bytes_ = {};
  std::size_t mark_size_ = max_size - described_size;
};

// The key of the chunks, in locked memory, wiped when it goes.
class chunk_key {
 public:
  chunk_key() : bytes_(key_size) {}

  // Makes the mark of a header, or verifies it. Refuses: refused; wrong_passphrase - the key does not fit the mark.
  [[nodiscard]] std::expected<void, memory_error> make(key_view key, const vault_file_header& header, stored_header& stored);
  [[nodiscard]] std::expected<void, memory_error> verify(key_view key, const vault_file_header& header,
                                                         const stored_header& stored);

  [[nodiscard]] key_view view() const { return bytes_.bytes().first<key_size>(); }

 private:
  [[nodiscard]] std::expected<void, memory_error> derive(key_view key, const vault_file_header& header,
                                                         const stored_header& stored, std::span<std::byte, 32> mark);

  scratch bytes_;
};

// The nonce of chunk number counter, or of the header (0). In format 2 its first 16 bytes are another for each chunk, so that a
// subkey opens one chunk alone.
[[nodiscard]] std::array<std::byte, nonce_size> chunk_nonce(const vault_file_header& header, std::uint64_t counter);

}  // namespace lockfast::internal

#endif
