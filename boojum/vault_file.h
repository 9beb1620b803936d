// vault_file.h - the format of a saved vault (docs/vault.md): a header, then the records in chunks that are sealed one by one.
//
//    | header, 128 bytes | chunk 1 | chunk 2 | ... | last chunk |
//
//    key     = scrypt(passphrase, salt)
//    nonce   = the file's 16 random bytes | counter: 0 the header, then 1, 2, ...; the highest bit is set for the last chunk
//    header:  112 bytes, and a tag of them             chunk:  65536 bytes sealed, or fewer in the last, and their tag
//
// A chunk opens only where it was put, and only the last one as the last: a file that was cut, spliced or changed is damaged.
// Plain bytes are in one chunk of locked memory; the file is never in memory as a whole.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_VAULT_FILE_H
#define LOCKFAST_BOOJUM_VAULT_FILE_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

#include "boojum/cipher.h"
#include "boojum/scratch.h"
#include "platform/files.h"

namespace lockfast::internal {

struct vault_file_header {
  static constexpr std::size_t size = 128;  // bytes, as stored

  std::uint32_t work = 0;      // of scrypt: log2 of N
  std::uint32_t block = 8;     // r
  std::uint32_t parallel = 1;  // p
  std::array<std::byte, 32> salt = {};
  std::array<std::byte, 16> identity = {};
  std::uint64_t saves = 0;
  std::uint64_t records = 0;
  std::array<std::byte, 16> file_nonce = {};
};

using stored_header = std::array<std::byte, vault_file_header::size>;

// A header in its stored form, with room for the tag.
[[nodiscard]] stored_header store(const vault_file_header& header);
// Refuses: damaged - no vault's file; unsupported - another version.
[[nodiscard]] std::expected<vault_file_header, memory_error> parse(const stored_header& stored);

// What both directions of a stream have: the key, the nonces, a chunk in locked memory, its sealed form beside it.
class chunk_stream {
 public:
  static constexpr std::size_t chunk_size = 65536;  // plain bytes
  static constexpr std::uint64_t last_chunk = std::uint64_t{1} << 63;

  // The header's tag is made, or verified, by the first call of begin.
  chunk_stream(platform::file file, key_view key, const stored_header& header);
  chunk_stream(const chunk_stream&) = delete;
  chunk_stream& operator=(const chunk_stream&) = delete;

 protected:
  [[nodiscard]] bool refused() const { return plain_.refused() || sealed_ == nullptr; }
  [[nodiscard]] std::array<std::byte, nonce_size> nonce_of(std::uint64_t counter) const;
  [[nodiscard]] std::span<const std::byte> described() const { return std::span(header_).first(header_.size() - tag_size); }
  [[nodiscard]] std::span<std::byte, tag_size> tag() { return std::span(header_).last<tag_size>(); }
  [[nodiscard]] std::span<std::byte> plain() const { return plain_.bytes(); }
  [[nodiscard]] std::span<std::byte> sealed(std::size_t plain_size) const { return {sealed_.get(), plain_size + tag_size}; }

  platform::file file_;
  key_view key_;
  stored_header header_;
  cipher cipher_;
  std::uint64_t chunks_ = 0;                        // sealed or opened
  std::uint64_t offset_ = vault_file_header::size;  // of the next chunk in the file

 private:
  scratch plain_;
  std::unique_ptr<std::byte[]> sealed_;
};

// Writes: begin, put any number of times, end. Each refuses: refused, file_system.
class chunk_writer : public chunk_stream {
 public:
  using chunk_stream::chunk_stream;

  // Seals and writes the header.
  [[nodiscard]] std::expected<void, memory_error> begin();
  [[nodiscard]] std::expected<void, memory_error> put(std::span<const std::byte> bytes);
  [[nodiscard]] std::expected<void, memory_error> put(std::uint32_t number);
  // Room for size bytes, to be filled before the next call; nothing where the chunk has less.
  [[nodiscard]] std::span<std::byte> room(std::size_t size);
  [[nodiscard]] std::expected<void, memory_error> end();

 private:
  [[nodiscard]] std::expected<void, memory_error> flush(std::uint64_t mark);

  std::size_t used_ = 0;  // bytes of the chunk
};

// Reads: begin, take any number of times, end. Each refuses: refused, file_system, damaged.
class chunk_reader : public chunk_stream {
 public:
  using chunk_stream::chunk_stream;

  // Verifies the header. wrong_passphrase - the key does not fit it.
  [[nodiscard]] std::expected<void, memory_error> begin(std::uint64_t file_size);
  // Plain bytes that are still to come, if the file is whole.
  [[nodiscard]] std::uint64_t rest() const { return rest_; }
  // Fills out, to the last byte.
  [[nodiscard]] std::expected<void, memory_error> take(std::span<std::byte> out);
  [[nodiscard]] std::expected<std::uint32_t, memory_error> take_number();
  // The next size bytes where they lie, valid until the next call; nothing where they lie in more than one chunk.
  [[nodiscard]] std::span<const std::byte> take_in_place(std::size_t size);
  // Refuses with damaged when something is left.
  [[nodiscard]] std::expected<void, memory_error> end();

 private:
  [[nodiscard]] std::expected<void, memory_error> fetch();

  std::uint64_t rest_ = 0;
  std::uint64_t sealed_rest_ = 0;     // bytes of the file behind offset_
  std::span<const std::byte> chunk_;  // what is left of the chunk
};

}  // namespace lockfast::internal

#endif
