// header.cc - the fields in the order of the file, and the marks of both formats.
#include "boojum/vault/header.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <bit>
#include <concepts>
#include <cstring>
#include <string_view>

#include "boojum/memory/error_note.h"
#include "boojum/crypto/little_endian.h"
#include "boojum/crypto/sha256.h"

namespace lockfast::internal {
namespace {

constexpr std::array<char, 8> magic = {'l', 'o', 'c', 'k', 'f', 'a', 's', 't'};
constexpr std::uint32_t chunk_of_format_1 = 65536;
constexpr std::uint32_t min_chunk = 1024;
constexpr std::uint32_t max_chunk = 65536;

// What keeps the uses of a file's key apart.
constexpr std::string_view header_label = "lockfast vault 2 header";
constexpr std::string_view chunks_label = "lockfast vault 2 chunks";

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

std::uint32_t code_of(const vault_file_header& header) {
  return header.format == 1 ? 0 : static_cast<std::uint32_t>(header.key.function);
}

bool is_known(const vault_file_header& header, std::uint32_t function) {
  if (header.format == 1) return function == 0 && header.chunk == chunk_of_format_1;
  const bool chunk_fits = std::has_single_bit(header.chunk) && header.chunk >= min_chunk && header.chunk <= max_chunk;
  return header.format == 2 && chunk_fits &&
         (function == static_cast<std::uint32_t>(vault::kdf::scrypt) ||
          function == static_cast<std::uint32_t>(vault::kdf::argon2id) ||
          function == static_cast<std::uint32_t>(vault::kdf::raw_key));
}

std::unexpected<memory_error> refused_cut(const char* path) {
  return refused_because(memory_error::damaged, path, "the vault was cut within its header: load a copy");
}

// Says why a header is none that is_known.
std::unexpected<memory_error> refused_unknown(const vault_file_header& header, std::uint32_t function, const char* path) {
  constexpr memory_error reason = memory_error::unsupported;
  if (header.format == 0 || header.format > vault_file_header::newest_format) {
    return refused_because(reason, path,
                           "the vault is of format %u; this version of Lockfast reads 1 to %u: use a newer version",
                           header.format, vault_file_header::newest_format);
  }
  return refused_because(
      reason, path,
      "this version of Lockfast does not know key function %u with chunks of %u bytes in format %u: use a newer "
      "version, or load a copy if the file was changed",
      function, header.chunk, header.format);
}

}  // namespace

stored_header::stored_header(const vault_file_header& header) : mark_size_(header.format == 1 ? tag_size : hash_size) {
  fields out(bytes_.data());
  out.put(magic);
  out.put(header.format);
  out.put(code_of(header));
  out.put(header.key.cost);
  out.put(header.key.block);
  out.put(header.key.parallel);
  out.put(header.chunk);
  out.put(header.salt);
  out.put(header.identity);
  out.put(header.saves);
  out.put(header.records);
  out.put(header.once);
}

std::expected<vault_file_header, memory_error> stored_header::parse(std::size_t size, const char* path) {
  fields in(bytes_.data());
  vault_file_header header;
  std::array<char, 8> found_magic;
  std::uint32_t function = 0;
  in.take(found_magic);
  in.take(header.format);
  in.take(function);
  in.take(header.key.cost);
  in.take(header.key.block);
  in.take(header.key.parallel);
  in.take(header.chunk);
  in.take(header.salt);
  in.take(header.identity);
  in.take(header.saves);
  in.take(header.records);
  in.take(header.once);
  if (size < magic.size() || found_magic != magic) {
    return refused_because(memory_error::damaged, path,
                           size == 0 ? "the file is empty; it is no vault" : "the file is no vault");
  }
  if (size < described_size) return refused_cut(path);
  if (!is_known(header, function)) return refused_unknown(header, function, path);
  header.key.function = function == 0 ? vault::kdf::scrypt : static_cast<vault::kdf>(function);
  mark_size_ = header.format == 1 ? tag_size : hash_size;
  if (size < this->size()) return refused_cut(path);
  return header;
}

std::expected<void, memory_error> chunk_key::derive(key_view key, const vault_file_header& header, const stored_header& stored,
                                                    std::span<std::byte, 32> mark) {
  if (bytes_.refused()) return std::unexpected(memory_error::denied);
  if (header.format == 1) {
    std::ranges::copy(key, bytes_.data());
    seal(key, chunk_nonce(header, 0), stored.described(), {}, mark.first<tag_size>());
    return {};
  }
  hmac_sha256 hash;
  if (hash.refused()) return std::unexpected(memory_error::denied);
  hash.key(key);
  hash.begin();
  hash.add(std::as_bytes(std::span(header_label)));
  hash.add(stored.described());
  hash.finish(mark);
  hash.begin();
  hash.add(std::as_bytes(std::span(chunks_label)));
  hash.finish(bytes_.bytes().first<hash_size>());
  wipe_stack();
  return {};
}

std::expected<void, memory_error> chunk_key::make(key_view key, const vault_file_header& header, stored_header& stored) {
  std::array<std::byte, 32> mark;
  if (auto done = derive(key, header, stored, mark); !done) return done;
  std::copy_n(mark.begin(), stored.mark().size(), stored.mark().begin());
  return {};
}

std::expected<void, memory_error> chunk_key::verify(key_view key, const vault_file_header& header,
                                                    const stored_header& stored) {
  std::array<std::byte, 32> mark;
  if (auto done = derive(key, header, stored, mark); !done) return done;
  if (lockfast_equal(mark.data(), stored.mark().data(), stored.mark().size()) != 0) return {};
  lockfast_wipe(bytes_.data(), key_size);
  return std::unexpected(memory_error::wrong_passphrase);
}

std::array<std::byte, nonce_size> chunk_nonce(const vault_file_header& header, std::uint64_t counter) {
  std::array<std::byte, nonce_size> made;
  const std::size_t at = header.format == 1 ? header.once.size() : 0;
  store_little(made.data() + at, counter);
  std::ranges::copy(header.once, made.begin() + (header.format == 1 ? 0 : sizeof counter));
  return made;
}

}  // namespace lockfast::internal
