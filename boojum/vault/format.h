// format.h - the records of a saved vault (docs/vault.md), behind its header, in chunks that are sealed one by one.
//
//    | header | chunk 1 | chunk 2 | ... | last chunk |
//
//    chunk:  as many sealed bytes as the header says, or fewer in the last, and their tag; bound to the header's mark
//    nonce:  of the file's random bytes and a counter, 1, 2, 3 ...; the highest bit is set for the last chunk
//
// A chunk opens only where it was put, and only the last one as the last: a file that was cut, spliced or changed is damaged.
// Plain bytes are in one chunk of locked memory; the file is never in memory as a whole.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_VAULT_FORMAT_H
#define LOCKFAST_BOOJUM_VAULT_FORMAT_H

#include <lockfast/memory_error.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <span>

#include "boojum/memory/scratch.h"
#include "boojum/vault/chunk_place.h"
#include "boojum/vault/header.h"

namespace lockfast::internal {

// What both directions of a stream have: the key, the nonces, a chunk in locked memory, its sealed form beside it.
class chunk_stream {
 public:
  static constexpr std::uint64_t last_chunk = std::uint64_t{1} << 63;

  // The path is for notes; it must outlive the stream.
  chunk_stream(const chunk_place& place, const vault_file_header& header, const stored_header& stored,
               const char* path = nullptr);
  chunk_stream(const chunk_stream&) = delete;
  chunk_stream& operator=(const chunk_stream&) = delete;

 protected:
  [[nodiscard]] bool refused() const { return plain_.refused() || sealed_ == nullptr; }
  [[nodiscard]] std::size_t chunk_size() const { return header_.chunk; }
  [[nodiscard]] std::span<std::byte> plain() const { return plain_.bytes(); }
  [[nodiscard]] std::span<std::byte> sealed(std::size_t plain_size) const { return {sealed_.get(), plain_size + tag_size}; }

  chunk_place place_;
  const char* path_;
  vault_file_header header_;
  stored_header stored_;
  chunk_key key_;
  std::uint64_t chunks_ = 0;  // sealed or opened
  std::uint64_t offset_;      // of the next chunk in the file

 private:
  scratch plain_;
  std::unique_ptr<std::byte[]> sealed_;
};

// Writes: begin, put any number of times, end. Each refuses: refused, file_system.
class chunk_writer : public chunk_stream {
 public:
  chunk_writer(const chunk_place& place, const vault_file_header& header, const char* path = nullptr)
      : chunk_stream(place, header, stored_header(header), path) {}

  // Marks and writes the header.
  [[nodiscard]] std::expected<void, memory_error> begin(key_view key);
  [[nodiscard]] std::expected<void, memory_error> put(std::span<const std::byte> bytes);
  [[nodiscard]] std::expected<void, memory_error> put(std::uint32_t number);
  // What the chunk still has room for, in bytes. When more is put, the chunk is sealed first.
  [[nodiscard]] std::size_t left() const { return chunk_size() - used_; }
  // Room for size bytes, to be filled before the chunk is sealed; nothing where it has less.
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
  [[nodiscard]] std::expected<void, memory_error> begin(key_view key, std::uint64_t file_size);
  // Plain bytes that are still to come, if the file is whole.
  [[nodiscard]] std::uint64_t rest() const { return rest_; }
  // Fills out, to the last byte.
  [[nodiscard]] std::expected<void, memory_error> take(std::span<std::byte> out);
  [[nodiscard]] std::expected<std::uint32_t, memory_error> take_number();
  // What is left of the chunk, in bytes. When more is taken, the next one takes its place.
  [[nodiscard]] std::size_t left() const { return chunk_.size(); }
  // The next size bytes where they lie, valid until the next chunk takes the place of theirs; nothing where they lie in more than
  // one.
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
