// chunked_bytes.h - ordinary bytes that grow and shrink at their end, in chunks that stay where they are.
//
//    | chunk 0, chunk_size bytes | chunk 1 | ... | last chunk, used in part |
//                          [ a run of bytes may lie in two chunks ]
//
// Growing copies nothing, so that a million sealed records never need the room of two. For what is no secret: sealed records
// and the entries of their index.
//
// Invariants
//   1. chunk_count == size / chunk_size, rounded up.
//   2. Bytes that go, by shrinking or at the end, are wiped first.
//
// Threads: one at a time.
#ifndef LOCKFAST_BOOJUM_VAULT_CHUNKED_BYTES_H
#define LOCKFAST_BOOJUM_VAULT_CHUNKED_BYTES_H

#include <cstddef>
#include <cstdint>
#include <span>

namespace lockfast::internal {

class chunked_bytes {
 public:
  static constexpr std::size_t chunk_size = 16384;

  chunked_bytes() = default;
  ~chunked_bytes();
  chunked_bytes(const chunked_bytes&) = delete;
  chunked_bytes& operator=(const chunked_bytes&) = delete;

  [[nodiscard]] std::uint64_t size() const { return size_; }

  // What is new is not initialised. False when there is no memory, and the size is as it was; shrinking never fails.
  [[nodiscard]] bool resize(std::uint64_t size);

  // Requires offset + the span's size <= size().
  void read(std::uint64_t offset, std::span<std::byte> out) const;
  void write(std::uint64_t offset, std::span<const std::byte> bytes);
  void wipe(std::uint64_t offset, std::uint64_t length);
  // Requires to <= from; the two may overlap.
  void move_down(std::uint64_t from, std::uint64_t to, std::uint64_t length);

  // An element of an array that begins at 0. Requires a size of Element that divides chunk_size, and at < the count.
  template <class Element>
  [[nodiscard]] Element& element(std::uint64_t at) const {
    static_assert(chunk_size % sizeof(Element) == 0);
    constexpr std::uint64_t per_chunk = chunk_size / sizeof(Element);
    return reinterpret_cast<Element*>(chunks_[at / per_chunk])[at % per_chunk];
  }

 private:
  [[nodiscard]] std::span<std::byte> piece(std::uint64_t offset, std::uint64_t most) const;
  [[nodiscard]] bool grow_table(std::size_t chunk_count);

  std::byte** chunks_ = nullptr;
  std::size_t capacity_ = 0;  // of the table
  std::size_t chunk_count_ = 0;
  std::uint64_t size_ = 0;
};

}  // namespace lockfast::internal

#endif
