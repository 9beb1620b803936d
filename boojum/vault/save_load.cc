// save_load.cc - saving and loading under a passphrase: the key of a file, and what it costs.
#include <lockfast/passphrase.hpp>
#include <lockfast/vault.hpp>

#include <utility>

#include "boojum/memory/error_note.h"
#include "boojum/memory/catch_bad_alloc.h"
#include "boojum/vault/file_io.h"
#include "boojum/vault/locking.h"

namespace lockfast {
namespace {

constexpr unsigned min_cost = 10;
constexpr unsigned max_cost = 20;

// The second recommendation of RFC 9106, section 4.
constexpr std::uint32_t argon2id_passes = 3;
constexpr std::uint32_t argon2id_lanes = 4;

// What a program does by itself keeps no passphrase alive: else one that saves now and then would never let it expire.
internal::file_key_maker stretched(const passphrase& phrase, internal::use_kind kind, internal::lock_key* lock = nullptr) {
  return [&phrase, kind, lock](const internal::vault_file_header& header) -> std::expected<buffer<std::byte>, memory_error> {
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

// What was chosen; otherwise what the latest file has; otherwise what is recommended.
internal::stretching chosen_key(const vault::save_options& chosen, const internal::stretching& latest) {
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

std::expected<void, memory_error> vault::save(const std::string& path, const passphrase& phrase) {
  return save(path, phrase, save_options{});
}

std::expected<void, memory_error> vault::save(const std::string& path, const passphrase& phrase, const save_options& chosen) {
  return internal::noting([&]() -> std::expected<void, memory_error> {
    if (state_ == nullptr) {
      return internal::refused_because(memory_error::wiped, nullptr,
                                       "the vault was moved away, or there was no memory to make it");
    }
    if (chosen.cost && (*chosen.cost < min_cost || *chosen.cost > max_cost)) {
      return internal::refused_because(memory_error::limit_exceeded, nullptr, "a cost of %u is out of the range of %u to %u",
                                       *chosen.cost, min_cost, max_cost);
    }
    const internal::save_request wanted = {.key = chosen_key(chosen, state_->history().cost()),
                                           .over = chosen.over,
                                           .hold = chosen.hold == nullptr ? nullptr : chosen.hold->held_.get()};
    if (internal::vault_lock* const lock = state_->lock()) {
      if (auto usable = lock->check(); !usable) return usable;
    }
    return internal::save_vault(*state_, path, wanted, stretched(phrase, internal::use_kind::unnoticed), chosen.watch);
  });
}

std::expected<vault, memory_error> vault::load(const std::string& path, const passphrase& phrase) {
  return load(path, phrase, load_options{});
}

std::expected<vault, memory_error> vault::load(const std::string& path, const passphrase& phrase, const load_options& chosen) {
  auto state = internal::noting([&]() -> std::expected<std::unique_ptr<internal::vault_state>, memory_error> {
    const bool locks = chosen.lock.has_value() || internal::passphrase_access::expires(phrase);
    internal::lock_key key;
    auto loaded = internal::load_vault(path, stretched(phrase, internal::use_kind::keeps_alive, locks ? &key : nullptr), chosen);
    if (!loaded || !locks) return loaded;
    const lock_options wanted = chosen.lock.value_or(lock_options{});
    if (auto done = internal::lock_with_key(**loaded, key, phrase, wanted); !done) return std::unexpected(done.error());
    return loaded;
  });
  if (!state) return std::unexpected(state.error());
  return vault(std::move(*state));
}

std::expected<vault::file_description, memory_error> vault::inspect(const std::string& path) {
  return internal::noting([&] {
    return internal::catch_bad_alloc([&]() -> std::expected<file_description, memory_error> {
      const auto found = internal::file_reader::open(path);
      if (!found) return std::unexpected(found.error());
      const auto read = internal::read_header(*found, path);
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
  });
}

// ---- The hold of a file ---------------------------------------------------------------------------------------------------

vault::file_hold::file_hold(std::unique_ptr<internal::name_hold>&& held) : held_(std::move(held)) {}
vault::file_hold::file_hold(file_hold&&) noexcept = default;
vault::file_hold& vault::file_hold::operator=(file_hold&&) noexcept = default;
vault::file_hold::~file_hold() = default;

std::expected<vault::file_hold, memory_error> vault::file_hold::acquire(const std::string& path) {
  return internal::noting([&] {
    return internal::catch_bad_alloc([&]() -> std::expected<file_hold, memory_error> {
      auto held = internal::name_hold::acquire(path);
      if (!held) return std::unexpected(held.error());
      return file_hold(std::make_unique<internal::name_hold>(std::move(*held)));
    });
  });
}

}  // namespace lockfast
