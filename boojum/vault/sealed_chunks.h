// sealed_chunks.h - the chunks of a long secret: sealed, in ordinary memory, under a key that is split.
//
//    log:     | nonce, tag, sealed bytes of chunk 0 | nonce, tag, sealed bytes of chunk 1 | ... | the last chunk, 1 byte or more |
//    sealed with | number of the chunk, 8 | 1 for the last one, otherwise 0 |  beside it
//
// What is appended begins in the last chunk, which is opened, filled, and sealed again with a fresh nonce. So a log that was cut at the
// end of a chunk has no last one.
//
// Invariants
//   1. One chunk is plain at a time, in a scratch.
//   2. An append that is refused has changed nothing.
//   3. The key is whole while a chunk is sealed or opened, and no longer. A log that was cleared goes on under another key.
//
// Threads: const functions from any number, the others alone.
#ifndef LOCKFAST_BOOJUM_VAULT_SEALED_CHUNKS_H
#define LOCKFAST_BOOJUM_VAULT_SEALED_CHUNKS_H

#include <lockfast/sealed_stream.hpp>

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "boojum/crypto/nonce.h"
#include "boojum/memory/scratch.h"
#include "boojum/memory/small_buffer.h"
#include "boojum/split/split_secret.h"
#include "boojum/vault/chunked_bytes.h"

namespace lockfast::internal {

class chunks_probe;

class sealed_chunks {
 public:
  explicit sealed_chunks(const sealed_stream::options& chosen) : options_(chosen) {}
  ~sealed_chunks() { clear(); }
  sealed_chunks(const sealed_chunks&) = delete;
  sealed_chunks& operator=(const sealed_chunks&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }
  [[nodiscard]] std::size_t chunk_size() const { return options_.chunk; }
  [[nodiscard]] std::uint64_t count() const { return (size_ + options_.chunk - 1) / options_.chunk; }

  // Opens a chunk into room, which has chunk_size() bytes or more, and gives what it holds. Requires at < count(). Refuses: damaged,
  // and as the key does.
  [[nodiscard]] std::expected<std::span<std::byte>, memory_error> open(std::uint64_t at, std::span<std::byte> room) const;

  void clear();

  // Bytes on their way to the end of a log.
  class appending {
   public:
    explicit appending(sealed_chunks& to) : to_(to), room_(to.options_.chunk), last_(to.last_sealed_size()) {}
    appending(const appending&) = delete;
    appending& operator=(const appending&) = delete;
    // Without finish() the log becomes what it was.
    ~appending();

    [[nodiscard]] result begin();
    // Where the next bytes go: at least one. Requires that there are more, so that what is full is not the last chunk.
    [[nodiscard]] std::expected<std::span<std::byte>, memory_error> room();
    [[nodiscard]] bool is_full() const { return filled_ == to_.options_.chunk; }
    // Counts bytes that were written there.
    [[nodiscard]] result added(std::size_t count);
    // Seals the last chunk. Where no bytes were added the log is what it was.
    [[nodiscard]] result finish();
    [[nodiscard]] std::uint64_t count() const { return count_; }

   private:
    enum class place : unsigned char { inner, last };
    [[nodiscard]] result flush(place where);

    sealed_chunks& to_;
    scratch room_;
    small_buffer last_;        // the last chunk of before, sealed
    std::uint64_t next_ = 0;   // the number of the chunk in room_
    std::size_t filled_ = 0;   // bytes of it
    std::uint64_t count_ = 0;  // bytes that were added
    bool has_begun_ = false;
    bool is_finished_ = false;
  };

 private:
  friend class chunks_probe;  // the tests' hand on what is sealed

  [[nodiscard]] std::uint64_t stride() const { return nonce_size + tag_size + options_.chunk; }
  [[nodiscard]] std::size_t size_of(std::uint64_t at) const;
  [[nodiscard]] std::size_t last_sealed_size() const;
  [[nodiscard]] result make_key();
  // Calls with(key_view) while the key is whole.
  template <class With>
  [[nodiscard]] result with_key(With&& with) const;

  sealed_stream::options options_;
  std::shared_ptr<split_secret> key_;  // null while it is empty
  chunked_bytes log_;
  std::uint64_t size_ = 0;  // plain bytes
};

}  // namespace lockfast::internal

#endif
