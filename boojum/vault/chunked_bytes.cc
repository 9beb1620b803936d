// chunked_bytes.cc - a table of chunks, and what is done to the pieces of a run.
#include "boojum/vault/chunked_bytes.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstring>
#include <new>

namespace lockfast::internal {

chunked_bytes::~chunked_bytes() {
  (void)resize(0);
  delete[] chunks_;
}

bool chunked_bytes::resize(std::uint64_t size) {
  const auto wanted = static_cast<std::size_t>((size + chunk_size - 1) / chunk_size);
  const std::size_t before = chunk_count_;
  if (wanted > capacity_ && !grow_table(wanted)) return false;
  while (chunk_count_ < wanted) {
    chunks_[chunk_count_] = new (std::nothrow) std::byte[chunk_size];
    if (chunks_[chunk_count_] == nullptr) break;
    ++chunk_count_;
  }
  if (chunk_count_ < wanted) {
    while (chunk_count_ > before) delete[] chunks_[--chunk_count_];
    return false;
  }
  if (size < size_) wipe(size, size_ - size);
  while (chunk_count_ > wanted) delete[] chunks_[--chunk_count_];
  size_ = size;
  return true;
}

bool chunked_bytes::grow_table(std::size_t chunk_count) {
  const std::size_t capacity = std::max(chunk_count, capacity_ * 2);
  auto* const table = new (std::nothrow) std::byte*[capacity];
  if (table == nullptr) return false;
  std::copy_n(chunks_, chunk_count_, table);
  delete[] chunks_;
  chunks_ = table;
  capacity_ = capacity;
  return true;
}

std::span<std::byte> chunked_bytes::piece(std::uint64_t offset, std::uint64_t most) const {
  const std::uint64_t inside = offset % chunk_size;
  return {chunks_[offset / chunk_size] + inside, static_cast<std::size_t>(std::min(most, chunk_size - inside))};
}

void chunked_bytes::read(std::uint64_t offset, std::span<std::byte> out) const {
  while (!out.empty()) {
    const auto from = piece(offset, out.size());
    std::memcpy(out.data(), from.data(), from.size());
    out = out.subspan(from.size());
    offset += from.size();
  }
}

void chunked_bytes::write(std::uint64_t offset, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto to = piece(offset, bytes.size());
    std::memcpy(to.data(), bytes.data(), to.size());
    bytes = bytes.subspan(to.size());
    offset += to.size();
  }
}

void chunked_bytes::wipe(std::uint64_t offset, std::uint64_t length) {
  while (length != 0) {
    const auto at = piece(offset, length);
    lockfast_wipe(at.data(), at.size());
    offset += at.size();
    length -= at.size();
  }
}

void chunked_bytes::move_down(std::uint64_t from, std::uint64_t to, std::uint64_t length) {
  while (length != 0) {
    const auto source = piece(from, length);
    const auto target = piece(to, source.size());
    std::memmove(target.data(), source.data(), target.size());
    from += target.size();
    to += target.size();
    length -= target.size();
  }
}

}  // namespace lockfast::internal
