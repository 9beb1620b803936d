// save_load.cc - saving and loading under a passphrase or key material: the key of a file, and what it costs.
#include <lockfast/passphrase.hpp>
#include <lockfast/vault.hpp>

#include <string_view>
#include <utility>

#include "boojum/crypto/sha256.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/memory/error_note.h"
#include "boojum/vault/file_io.h"
#include "boojum/vault/locking.h"

namespace lockfast {
namespace {

// With the refusal noted, also where the ordinary heap is short.
template <class Body>
auto noted(Body body) {
  return internal::noting([&] { return internal::catch_bad_alloc(body); });
}

constexpr unsigned min_cost = 10;
constexpr unsigned max_cost = 20;

// The second recommendation of RFC 9106, section 4.
constexpr std::uint32_t argon2id_passes = 3;
constexpr std::uint32_t argon2id_lanes = 4;

// What a program does by itself keeps no passphrase alive: else one that saves now and then would never let it expire.
internal::file_key_maker stretched(const passphrase& phrase, internal::use_kind kind, internal::lock_key* lock = nullptr) {
  return [&phrase, kind, lock](const internal::vault_file_header& header) -> std::expected<buffer<std::byte>, memory_error> {
    if (header.key.function == vault::kdf::raw_key) {
      return internal::refused_because(memory_error::wrong_passphrase, nullptr,
                                       "the vault was saved under a key, not a passphrase");
    }
    auto key = internal::stretch(phrase, header.salt, header.key, kind);
    if (!key || lock == nullptr) return key;
    const auto bytes = key->try_read();
    if (!bytes) return std::unexpected(bytes.error());
    if (auto made = internal::make_lock_key(*lock, bytes->span(), header.salt, header.key); !made) {
      return std::unexpected(made.error());
    }
    return key;
  };
}

constexpr std::string_view raw_label = "lockfast vault 2 raw key";
constexpr std::size_t min_raw_key = 16;  // bytes

// HMAC-SHA-256 of the salt, so that each file has a key of its own.
internal::file_key_maker made_of(const buffer<std::byte>& raw) {
  return [&raw](const internal::vault_file_header& header) -> std::expected<buffer<std::byte>, memory_error> {
    if (header.key.function != vault::kdf::raw_key) {
      return internal::refused_because(memory_error::wrong_passphrase, nullptr,
                                       "the vault was saved under a passphrase, not a key");
    }
    const auto bytes = raw.try_read();
    if (!bytes) return std::unexpected(bytes.error());
    internal::hmac_sha256 hash;
    if (hash.refused()) return std::unexpected(memory_error::denied);
    return buffer<std::byte>::filled(internal::key_size, [&](std::span<std::byte> out) {
      hash.key(bytes->span());
      hash.begin();
      hash.add(std::as_bytes(std::span(raw_label)));
      hash.add(header.salt);
      hash.finish(out.first<internal::hash_size>());
      internal::wipe_stack();
    });
  };
}

// What the key of a file is made by. The lock's key, if there is one, is made as well where there is a passphrase.
internal::file_key_maker maker_of(const vault::key_source& source, internal::use_kind kind,
                                  internal::lock_key* lock = nullptr) {
  if (source.phrase() == nullptr) return made_of(*source.key());
  return stretched(*source.phrase(), kind, lock);
}

// What was chosen; otherwise what the latest file has; otherwise what is recommended.
internal::stretching chosen_key(const vault::key_source& source, const vault::save_options& chosen,
                                const internal::stretching& latest) {
  if (source.phrase() == nullptr) return {.function = vault::kdf::raw_key, .cost = 0, .block = 0, .parallel = 0};
  internal::stretching key = latest;
  const bool is_kept = latest.cost != 0 && latest.function == chosen.function.value_or(latest.function);
  if (!is_kept) {
    key.function = chosen.function.value_or(vault::kdf::scrypt);
    const bool argon2id = key.function == vault::kdf::argon2id;
    key.cost = argon2id ? vault::default_argon2id_cost : vault::default_scrypt_cost;
    key.block = argon2id ? argon2id_passes : scrypt_cost().block;
    key.parallel = argon2id ? argon2id_lanes : scrypt_cost().parallel;
  }
  key.cost = chosen.cost.value_or(key.cost);
  return key;
}

}  // namespace

namespace {

// Whether a vault can be saved as is asked for.
std::expected<void, memory_error> may_save(internal::vault_state* state, const vault::key_source& key,
                                           const vault::save_options& chosen) {
  using internal::refused_because;
  if (state == nullptr) {
    return refused_because(memory_error::wiped, nullptr, "the vault was moved away, or there was no memory to make it");
  }
  if (chosen.cost && (*chosen.cost < min_cost || *chosen.cost > max_cost)) {
    return refused_because(memory_error::limit_exceeded, nullptr, "a cost of %u is out of the range of %u to %u", *chosen.cost,
                           min_cost, max_cost);
  }
  const bool is_raw = key.phrase() == nullptr;
  if (is_raw && key.key()->size() < min_raw_key) {
    return refused_because(memory_error::limit_exceeded, nullptr, "a key of %zu bytes can be guessed: it needs %zu at least",
                           key.key()->size(), min_raw_key);
  }
  if (chosen.function == vault::kdf::raw_key || (is_raw && (chosen.function || chosen.cost))) {
    return refused_because(memory_error::unsupported, nullptr, "a passphrase has a function and a cost, a raw key has neither");
  }
  if (internal::vault_lock* const lock = state->lock()) return lock->check();
  return {};
}

// What a save gives. Time may have locked the vault since the save began: then it has expired, as every other call says.
template <class Saved>
Saved with_cause_of_lock(const internal::vault_state& state, Saved done) {
  if (!done && done.error() == memory_error::locked && state.lock() != nullptr) {
    if (auto usable = state.lock()->check(); !usable) return std::unexpected(usable.error());
  }
  return done;
}

std::expected<std::unique_ptr<internal::vault_state>, memory_error> load_and_lock(const auto& from,
                                                                                  const vault::key_source& key,
                                                                                  const vault::load_options& chosen) {
  const passphrase* const phrase = key.phrase();
  const bool locks = phrase != nullptr && (chosen.lock.has_value() || internal::passphrase_access::expires(*phrase));
  internal::lock_key unlocks;
  auto loaded = internal::load_vault(from, maker_of(key, internal::use_kind::keeps_alive, locks ? &unlocks : nullptr), chosen);
  if (!loaded || !locks) return loaded;
  const vault::lock_options wanted = chosen.lock.value_or(vault::lock_options{});
  if (auto done = internal::lock_with_key(**loaded, unlocks, *phrase, wanted); !done) return std::unexpected(done.error());
  return loaded;
}

}  // namespace

std::expected<void, memory_error> vault::save(const std::string& path, const key_source& key) {
  return save(path, key, save_options{});
}

std::expected<void, memory_error> vault::save(const std::string& path, const key_source& key, const save_options& chosen) {
  return noted([&]() -> std::expected<void, memory_error> {
    if (auto usable = may_save(state_.get(), key, chosen); !usable) return usable;
    const internal::save_request wanted = {.key = chosen_key(key, chosen, state_->history().cost()),
                                           .over = chosen.over,
                                           .hold = chosen.hold == nullptr ? nullptr : chosen.hold->held_.get()};
    return with_cause_of_lock(
        *state_, internal::save_vault(*state_, path, wanted, maker_of(key, internal::use_kind::unnoticed), chosen.watch));
  });
}

std::expected<std::vector<std::byte>, memory_error> vault::save_to_memory(const key_source& key) const {
  return save_to_memory(key, save_options{});
}

std::expected<std::vector<std::byte>, memory_error> vault::save_to_memory(const key_source& key,
                                                                          const save_options& chosen) const {
  return noted([&]() -> std::expected<std::vector<std::byte>, memory_error> {
    if (auto usable = may_save(state_.get(), key, chosen); !usable) return std::unexpected(usable.error());
    return with_cause_of_lock(*state_, internal::save_vault(*state_, chosen_key(key, chosen, state_->history().cost()),
                                                            maker_of(key, internal::use_kind::unnoticed), chosen.watch));
  });
}

std::expected<vault, memory_error> vault::load(const std::string& path, const key_source& key) {
  return load(path, key, load_options{});
}

std::expected<vault, memory_error> vault::load(const std::string& path, const key_source& key, const load_options& chosen) {
  auto state = noted([&] { return load_and_lock(path, key, chosen); });
  if (!state) return std::unexpected(state.error());
  vault loaded(std::move(*state));
  if (loaded.state_ == nullptr) return std::unexpected(memory_error::denied);
  return loaded;
}

std::expected<vault, memory_error> vault::load_from_memory(std::span<const std::byte> saved, const key_source& key) {
  return load_from_memory(saved, key, load_options{});
}

std::expected<vault, memory_error> vault::load_from_memory(std::span<const std::byte> saved, const key_source& key,
                                                           const load_options& chosen) {
  auto state = noted([&] { return load_and_lock(saved, key, chosen); });
  if (!state) return std::unexpected(state.error());
  vault loaded(std::move(*state));
  if (loaded.state_ == nullptr) return std::unexpected(memory_error::denied);
  return loaded;
}

std::expected<vault::file_description, memory_error> vault::inspect(const std::string& path) {
  return noted([&]() -> std::expected<file_description, memory_error> {
    const auto found = internal::file_reader::open(path);
    if (!found) return std::unexpected(found.error());
    const auto read = internal::read_header(found->opened(), found->size(), path.c_str());
    if (!read) return std::unexpected(read.error());
    const internal::vault_file_header& header = read->first;
    return file_description{.format = header.format,
                            .function = header.key.function,
                            .cost = header.key.cost,
                            .block = header.key.block,
                            .parallel = header.key.parallel,
                            .identity = header.identity,
                            .saves = header.saves,
                            .records = header.records};
  });
}

// ---- The hold of a file ---------------------------------------------------------------------------------------------------

vault::file_hold::file_hold(std::unique_ptr<internal::name_hold>&& held) : held_(std::move(held)) {}
vault::file_hold::file_hold(file_hold&&) noexcept = default;
vault::file_hold& vault::file_hold::operator=(file_hold&&) noexcept = default;
vault::file_hold::~file_hold() = default;

std::expected<vault::file_hold, memory_error> vault::file_hold::acquire(const std::string& path) {
  return noted([&]() -> std::expected<file_hold, memory_error> {
    auto held = internal::name_hold::acquire(path);
    if (!held) return std::unexpected(held.error());
    return file_hold(std::make_unique<internal::name_hold>(std::move(*held)));
  });
}

}  // namespace lockfast
