// record_names.h - the names and labels of a vault's records, sealed as records are.
//
//    index    | keyed hash of a name --> id |   | id --> sealed description |     ordinary memory
//    sealed   a vault of its own: the key of the hashes; for each named or labelled record  | id | name | label |
//
// A name is found by its hash, HMAC-SHA-256 under a key that is a sealed record itself. What is found is opened and compared, so an
// index entry that was changed is `damaged`, never another record.
//
// Invariants
//   1. No two ids have the same name.
//   2. Names and labels are plain in locked memory alone.
//   3. The mutex is held while the index is looked at or changed; no cipher, and no call of the sealed vault, runs meanwhile.
//
// Threads: everything from any thread, but lock() and unlock(), which are for fork.
#ifndef LOCKFAST_BOOJUM_VAULT_RECORD_NAMES_H
#define LOCKFAST_BOOJUM_VAULT_RECORD_NAMES_H

#include <lockfast/vault.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <functional>
#include <memory>
#include <mutex>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "boojum/crypto/cipher.h"
#include "boojum/memory/locked_buffer.h"

namespace lockfast::internal {

class vault_state;

class record_names {
 public:
  static constexpr std::size_t max_text = 65535;  // bytes of a name, and of a label

  enum class part : unsigned char { name, label };

  // A record's name and label, either of them empty; plain, in the room that they were opened into.
  struct description {
    vault::id which;
    std::string_view name;
    std::string_view label;

    [[nodiscard]] std::string_view text(part of) const { return of == part::name ? name : label; }
  };

  // The options of the vault that they are sealed in.
  explicit record_names(const vault::options& chosen) : chosen_(chosen) {}

  // Puts a text in the place of an id's; an empty one takes it away. name_taken; limit_exceeded - longer than max_text; denied.
  [[nodiscard]] std::expected<void, memory_error> set(vault::id which, part of, std::string_view text);
  // Adds a record's description. Requires that it has none. Refuses as set does.
  [[nodiscard]] std::expected<void, memory_error> add(const description& described);
  // not_found; damaged.
  [[nodiscard]] std::expected<vault::id, memory_error> find(std::string_view name) const;
  // not_found where it has neither.
  [[nodiscard]] std::expected<description, memory_error> open(vault::id which, locked_buffer& room) const;
  // Calls look for each description of now, until it refuses; for none that has gone meanwhile.
  [[nodiscard]] std::expected<void, memory_error> for_each(
      const std::function<std::expected<void, memory_error>(const description&)>& look) const;

  // Those that have a description.
  [[nodiscard]] std::vector<std::uint64_t> ids() const;
  void forget(vault::id which);
  void clear();
  [[nodiscard]] std::expected<void, memory_error> rekey();
  // As the vault's; busy - the key of the descriptions is being changed.
  [[nodiscard]] std::expected<void, memory_error> seal_keys(key_view key);
  [[nodiscard]] std::expected<void, memory_error> open_keys(key_view key);
  [[nodiscard]] std::uint64_t footprint() const;

  void lock() const { mutex_.lock(); }
  void unlock() const { mutex_.unlock(); }

 private:
  // The vault of descriptions, and the record that the hashes are keyed with.
  struct store;
  using digest = std::array<std::uint64_t, 2>;
  struct digest_hash {
    std::size_t operator()(const digest& of) const noexcept { return static_cast<std::size_t>(of[0]); }
  };
  struct id_hash {
    std::size_t operator()(std::uint64_t id) const noexcept {
      return static_cast<std::size_t>((id ^ id >> 29) * 0x9e3779b97f4a7c15);
    }
  };
  // Where an id's description is; a digest of zeros where it has no name.
  struct entry {
    std::uint64_t sealed;
    digest name;
  };

  [[nodiscard]] std::shared_ptr<store> now() const;
  [[nodiscard]] std::expected<std::shared_ptr<store>, memory_error> made();
  [[nodiscard]] static std::expected<digest, memory_error> digest_of(store& in, std::string_view name);
  [[nodiscard]] static std::expected<description, memory_error> opened(store& in, std::uint64_t sealed, locked_buffer& room);
  [[nodiscard]] std::expected<void, memory_error> put(const description& described, std::uint64_t expected);
  [[nodiscard]] std::expected<void, memory_error> publish(vault::id which, const digest& name, std::uint64_t sealed,
                                                          std::uint64_t expected);
  [[nodiscard]] std::uint64_t sealed_of(vault::id which) const;

  vault::options chosen_;
  mutable std::mutex mutex_;
  std::shared_ptr<store> store_;  // made with the first description
  std::unordered_map<digest, std::uint64_t, digest_hash> by_name_;
  std::unordered_map<std::uint64_t, entry, id_hash> by_id_;
};

}  // namespace lockfast::internal

#endif
