// format.cc - the sealing of chunks.
#include "boojum/vault/format.h"

#include <algorithm>
#include <cstring>
#include <new>

#include "boojum/memory/error_note.h"
#include "boojum/crypto/little_endian.h"

namespace lockfast::internal {

chunk_stream::chunk_stream(const chunk_place& place, const vault_file_header& header, const stored_header& stored,
                           const char* path)
    : place_(place),
      path_(path),
      header_(header),
      stored_(stored),
      offset_(stored.size()),
      plain_(header.chunk),
      sealed_(new(std::nothrow) std::byte[header.chunk + tag_size]) {}

// ---- Writing --------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> chunk_writer::begin(key_view key) {
  if (refused()) return std::unexpected(memory_error::denied);
  if (auto made = key_.make(key, header_, stored_); !made) return made;
  if (const platform::error refusal = place_.write_at(0, stored_.bytes()); refusal != 0) {
    return refused_by_system(refusal, "cannot write", path_);
  }
  return {};
}

std::expected<void, memory_error> chunk_writer::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (used_ == chunk_size()) {
      if (auto done = flush(0); !done) return done;
    }
    const std::size_t size = std::min(bytes.size(), chunk_size() - used_);
    std::memcpy(plain().data() + used_, bytes.data(), size);
    used_ += size;
    bytes = bytes.subspan(size);
  }
  return {};
}

std::expected<void, memory_error> chunk_writer::put(std::uint32_t number) {
  std::array<std::byte, sizeof number> bytes;
  store_little(bytes.data(), number);
  return put(bytes);
}

std::span<std::byte> chunk_writer::room(std::size_t size) {
  if (size > chunk_size() - used_) return {};
  used_ += size;
  return plain().subspan(used_ - size, size);
}

std::expected<void, memory_error> chunk_writer::end() { return flush(last_chunk); }

std::expected<void, memory_error> chunk_writer::flush(std::uint64_t mark) {
  const auto out = sealed(used_);
  seal(key_.view(), chunk_nonce(header_, ++chunks_ | mark), stored_.mark(), plain().first(used_), out);
  if (const platform::error refusal = place_.write_at(offset_, out); refusal != 0) {
    return refused_by_system(refusal, "cannot write", path_);
  }
  offset_ += out.size();
  used_ = 0;
  return {};
}

// ---- Reading --------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> chunk_reader::begin(key_view key, std::uint64_t file_size) {
  if (refused()) return std::unexpected(memory_error::denied);
  if (auto fits = key_.verify(key, header_, stored_); !fits) return fits;
  sealed_rest_ = file_size - stored_.size();
  const std::uint64_t whole = sealed_rest_ / (chunk_size() + tag_size);
  const std::uint64_t part = sealed_rest_ % (chunk_size() + tag_size);
  if ((part != 0 && part < tag_size) || sealed_rest_ == 0) return std::unexpected(memory_error::damaged);
  rest_ = whole * chunk_size() + (part == 0 ? 0 : part - tag_size);
  return {};
}

std::expected<void, memory_error> chunk_reader::fetch() {
  if (sealed_rest_ == 0) return std::unexpected(memory_error::damaged);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(sealed_rest_, chunk_size() + tag_size)) - tag_size;
  const auto from = sealed(size);
  if (const platform::error refusal = place_.read_at(offset_, from); refusal != 0) {
    return refused_by_system(refusal, "cannot read", path_);
  }
  offset_ += from.size();
  sealed_rest_ -= from.size();
  const std::uint64_t mark = sealed_rest_ == 0 ? last_chunk : 0;
  if (!open(key_.view(), chunk_nonce(header_, ++chunks_ | mark), stored_.mark(), from, plain().first(size))) {
    return std::unexpected(memory_error::damaged);
  }
  chunk_ = plain().first(size);
  return {};
}

std::expected<void, memory_error> chunk_reader::take(std::span<std::byte> out) {
  while (!out.empty()) {
    if (chunk_.empty()) {
      if (auto done = fetch(); !done) return done;
      continue;
    }
    const std::size_t size = std::min(out.size(), chunk_.size());
    std::memcpy(out.data(), chunk_.data(), size);
    chunk_ = chunk_.subspan(size);
    rest_ -= size;
    out = out.subspan(size);
  }
  return {};
}

std::expected<std::uint32_t, memory_error> chunk_reader::take_number() {
  std::array<std::byte, sizeof(std::uint32_t)> bytes;
  if (auto done = take(bytes); !done) return std::unexpected(done.error());
  return load_little<std::uint32_t>(bytes.data());
}

std::span<const std::byte> chunk_reader::take_in_place(std::size_t size) {
  if (size > chunk_.size()) return {};
  const auto found = chunk_.first(size);
  chunk_ = chunk_.subspan(size);
  rest_ -= size;
  return found;
}

std::expected<void, memory_error> chunk_reader::end() {
  if (sealed_rest_ != 0 || !chunk_.empty()) return std::unexpected(memory_error::damaged);
  return {};
}

}  // namespace lockfast::internal
