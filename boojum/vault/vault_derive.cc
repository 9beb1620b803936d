// vault_derive.cc - records that are made within a vault: at random, and from others.
#include <lockfast/vault.hpp>

#include <algorithm>
#include <array>
#include <cstring>

#include "boojum/crypto/blake2b.h"
#include "boojum/crypto/cipher.h"
#include "boojum/crypto/drawn.h"
#include "boojum/crypto/sha256.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/error_note.h"
#include "boojum/vault/open_into.h"
#include "boojum/vault/with_room.h"

namespace lockfast {
namespace {

using internal::hash_size;
using internal::locked_buffer;
using internal::with_room;
using result = std::expected<void, memory_error>;

constexpr std::size_t max_hkdf = 255 * hash_size;

// HKDF-SHA-256 (RFC 5869).
result hkdf(std::span<const std::byte> key, const vault::derivation& how, std::span<std::byte> out) {
  internal::hmac_sha256 hash;
  const internal::scratch room(2 * hash_size);
  if (hash.refused() || room.refused()) return std::unexpected(memory_error::denied);
  const auto extracted = room.bytes().first<hash_size>();
  const auto block = room.bytes().subspan(hash_size).first<hash_size>();
  hash.key(how.salt);  // which is zeros where there is none, as HMAC pads it
  hash.begin();
  hash.add(key);
  hash.finish(extracted);
  hash.key(extracted);
  for (std::byte number{1}; !out.empty(); number = static_cast<std::byte>(std::to_integer<unsigned>(number) + 1)) {
    hash.begin();
    if (number != std::byte{1}) hash.add(block);
    hash.add(how.info);
    hash.add({&number, 1});
    hash.finish(block);
    const std::size_t taken = std::min(out.size(), hash_size);
    std::memcpy(out.data(), block.data(), taken);
    out = out.subspan(taken);
  }
  return {};
}

result hmac(std::span<const std::byte> key, std::span<const std::byte> text, std::span<std::byte> out) {
  internal::hmac_sha256 hash;
  const internal::scratch block(hash_size);
  if (hash.refused() || block.refused()) return std::unexpected(memory_error::denied);
  hash.key(key);
  hash.begin();
  hash.add(text);
  hash.finish(block.bytes().first<hash_size>());
  std::memcpy(out.data(), block.data(), out.size());
  return {};
}

result compute(const vault::derivation& how, std::span<const std::byte> key, std::span<std::byte> out) {
  using function = vault::derivation::by;
  auto done = [&]() -> result {
    switch (how.function) {
      case function::hkdf_sha256: return hkdf(key, how, out);
      case function::hmac_sha256: return hmac(key, how.info, out);
      case function::blake2b:
        if (key.size() > internal::blake2b_max) return std::unexpected(memory_error::limit_exceeded);
        if (!internal::keyed_blake2b(key, how.info, out)) return std::unexpected(memory_error::denied);
        return {};
    }
    return std::unexpected(memory_error::unsupported);
  }();
  internal::wipe_stack();
  return done;
}

std::size_t max_size(vault::derivation::by function) {
  switch (function) {
    case vault::derivation::by::hkdf_sha256: return max_hkdf;
    case vault::derivation::by::hmac_sha256: return hash_size;
    case vault::derivation::by::blake2b: return internal::blake2b_max;
  }
  return 0;
}

// Before memory is asked for, which would be refused for another cause.
result check_size(std::size_t size) {
  if (size == 0) return std::unexpected(memory_error::zero_size);
  if (size > internal::sealed_shard::max_size) return std::unexpected(memory_error::limit_exceeded);
  return {};
}

}  // namespace

std::expected<vault::id, memory_error> vault::insert_random(std::size_t size) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  if (auto fits = check_size(size); !fits) return std::unexpected(fits.error());
  return with_room(*state_, [&]() -> std::expected<id, memory_error> {
    locked_buffer room;
    const auto drawn = room.of(size);
    if (drawn.empty()) return std::unexpected(memory_error::denied);
    if (auto filled = internal::draw_bytes(drawn); !filled) return std::unexpected(filled.error());
    const std::span<const std::byte> secret = drawn;
    id made;
    if (auto done = state_->insert({&secret, 1}, {&made, 1}); !done) return std::unexpected(done.error());
    return made;
  });
}

std::expected<vault::id, memory_error> vault::derive_by(id from, std::size_t size, const deriving& fill) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  if (auto fits = check_size(size); !fits) return std::unexpected(fits.error());
  locked_buffer source;
  locked_buffer room;
  const auto key = with_room(*state_, [&] { return open_into(*state_, from, source); });
  if (!key) return std::unexpected(key.error());
  const auto out = with_room(*state_, [&]() -> std::expected<std::span<std::byte>, memory_error> {
    const auto given = room.of(size);
    if (given.empty()) return std::unexpected(memory_error::denied);
    return given;
  });
  if (!out) return std::unexpected(out.error());
  // Once, also where it refuses for want of memory: what it does besides is the program's affair.
  if (auto done = fill(*key, *out); !done) return std::unexpected(done.error());
  const std::span<const std::byte> secret = *out;
  id made;
  if (auto done = with_room(*state_, [&] { return state_->insert({&secret, 1}, {&made, 1}); }); !done) {
    return std::unexpected(done.error());
  }
  return made;
}

std::expected<vault::id, memory_error> vault::derive(id from, const derivation& how, std::size_t size) {
  return internal::noting([&]() -> std::expected<id, memory_error> {
    if (size > max_size(how.function)) {
      return internal::refused_because(memory_error::limit_exceeded, nullptr, "this function gives %zu bytes at most",
                                       max_size(how.function));
    }
    return derive_by(from, size,
                     [&](std::span<const std::byte> key, std::span<std::byte> out) { return compute(how, key, out); });
  });
}

}  // namespace lockfast
