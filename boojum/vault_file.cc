// vault_file.cc - the header's fields, and the sealing of chunks.
#include "boojum/vault_file.h"

#include <algorithm>
#include <concepts>
#include <cstring>
#include <new>

#include "boojum/little_endian.h"

namespace lockfast::internal {
namespace {

constexpr std::array<char, 8> magic = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't'};
constexpr std::uint32_t version = 1;

// Walks over the fields in the order of the file.
class fields {
 public:
  explicit fields(std::byte* at) : at_(at) {}

  template <std::unsigned_integral Number>
  void put(Number number) {
    store_little(at_, number);
    at_ += sizeof number;
  }
  template <class Byte, std::size_t Size>
  void put(const std::array<Byte, Size>& bytes) {
    std::memcpy(at_, bytes.data(), Size);
    at_ += Size;
  }
  template <std::unsigned_integral Number>
  void take(Number& number) {
    number = load_little<Number>(at_);
    at_ += sizeof number;
  }
  template <class Byte, std::size_t Size>
  void take(std::array<Byte, Size>& bytes) {
    std::memcpy(bytes.data(), at_, Size);
    at_ += Size;
  }

 private:
  std::byte* at_;
};

}  // namespace

stored_header store(const vault_file_header& header) {
  stored_header stored = {};
  fields out(stored.data());
  out.put(magic);
  out.put(version);
  out.put(std::uint32_t{0});
  out.put(header.work);
  out.put(header.block);
  out.put(header.parallel);
  out.put(static_cast<std::uint32_t>(chunk_stream::chunk_size));
  out.put(header.salt);
  out.put(header.identity);
  out.put(header.saves);
  out.put(header.records);
  out.put(header.file_nonce);
  return stored;
}

std::expected<vault_file_header, memory_error> parse(const stored_header& stored) {
  stored_header copy = stored;
  fields in(copy.data());
  vault_file_header header;
  std::array<char, 8> found_magic;
  std::uint32_t found_version = 0;
  std::uint32_t reserved = 0;
  std::uint32_t chunk = 0;
  in.take(found_magic);
  in.take(found_version);
  in.take(reserved);
  in.take(header.work);
  in.take(header.block);
  in.take(header.parallel);
  in.take(chunk);
  in.take(header.salt);
  in.take(header.identity);
  in.take(header.saves);
  in.take(header.records);
  in.take(header.file_nonce);
  if (found_magic != magic) return std::unexpected(memory_error::damaged);
  if (found_version != version || reserved != 0 || chunk != chunk_stream::chunk_size) {
    return std::unexpected(memory_error::unsupported);
  }
  return header;
}

// ---- What both directions have --------------------------------------------------------------------------------------------

chunk_stream::chunk_stream(platform::file file, key_view key, const stored_header& header)
    : file_(file),
      key_(key),
      header_(header),
      plain_(chunk_size),
      sealed_(new(std::nothrow) std::byte[chunk_size + tag_size]) {}

std::array<std::byte, nonce_size> chunk_stream::nonce_of(std::uint64_t counter) const {
  std::array<std::byte, nonce_size> made;
  constexpr std::size_t random_size = nonce_size - sizeof counter;
  std::memcpy(made.data(), described().last(random_size).data(), random_size);
  store_little(made.data() + random_size, counter);
  return made;
}

// ---- Writing --------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> chunk_writer::begin() {
  if (refused()) return std::unexpected(memory_error::refused);
  if (cipher_.seal(key_, nonce_of(0), described(), {}, {}, tag()) != cipher_result::done) {
    return std::unexpected(memory_error::refused);
  }
  if (platform::write_at(file_, 0, header_) != 0) return std::unexpected(memory_error::file_system);
  return {};
}

std::expected<void, memory_error> chunk_writer::put(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    if (used_ == chunk_size) {
      if (auto done = flush(0); !done) return done;
    }
    const std::size_t size = std::min(bytes.size(), chunk_size - used_);
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
  if (size > chunk_size - used_) return {};
  used_ += size;
  return plain().subspan(used_ - size, size);
}

std::expected<void, memory_error> chunk_writer::end() { return flush(last_chunk); }

std::expected<void, memory_error> chunk_writer::flush(std::uint64_t mark) {
  const auto out = sealed(used_);
  if (cipher_.seal(key_, nonce_of(++chunks_ | mark), tag(), plain().first(used_), out) != cipher_result::done) {
    return std::unexpected(memory_error::refused);
  }
  if (platform::write_at(file_, offset_, out) != 0) return std::unexpected(memory_error::file_system);
  offset_ += out.size();
  used_ = 0;
  return {};
}

// ---- Reading --------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> chunk_reader::begin(std::uint64_t file_size) {
  if (refused()) return std::unexpected(memory_error::refused);
  switch (cipher_.open(key_, nonce_of(0), described(), {}, tag(), {})) {
    case cipher_result::done: break;
    case cipher_result::damaged: return std::unexpected(memory_error::wrong_passphrase);
    case cipher_result::refused: return std::unexpected(memory_error::refused);
  }
  sealed_rest_ = file_size - vault_file_header::size;
  const std::uint64_t whole = sealed_rest_ / (chunk_size + tag_size);
  const std::uint64_t part = sealed_rest_ % (chunk_size + tag_size);
  if ((part != 0 && part < tag_size) || sealed_rest_ == 0) return std::unexpected(memory_error::damaged);
  rest_ = whole * chunk_size + (part == 0 ? 0 : part - tag_size);
  return {};
}

std::expected<void, memory_error> chunk_reader::fetch() {
  if (sealed_rest_ == 0) return std::unexpected(memory_error::damaged);
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(sealed_rest_, chunk_size + tag_size)) - tag_size;
  const auto from = sealed(size);
  if (platform::read_at(file_, offset_, from) != 0) return std::unexpected(memory_error::file_system);
  offset_ += from.size();
  sealed_rest_ -= from.size();
  const std::uint64_t mark = sealed_rest_ == 0 ? last_chunk : 0;
  switch (cipher_.open(key_, nonce_of(++chunks_ | mark), tag(), from, plain().first(size))) {
    case cipher_result::done: break;
    case cipher_result::damaged: return std::unexpected(memory_error::damaged);
    case cipher_result::refused: return std::unexpected(memory_error::refused);
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
