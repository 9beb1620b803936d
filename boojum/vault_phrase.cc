// vault_phrase.cc - saving and loading under a passphrase: the key of a file, by scrypt.
#include <lockfast/passphrase.hpp>
#include <lockfast/vault.hpp>

#include <utility>

#include "boojum/vault_disk.h"

namespace lockfast {
namespace {

constexpr unsigned least_cost = 10;
constexpr unsigned most_cost = 20;

internal::file_key_maker stretched(const passphrase& phrase) {
  return [&phrase](const internal::vault_file_header& header) {
    return phrase.derive(header.salt, {.work = header.work, .block = header.block, .parallel = header.parallel},
                         internal::key_size);
  };
}

}  // namespace

std::expected<void, memory_error> vault::save(const std::string& path, const passphrase& phrase) {
  return save(path, phrase, save_options{});
}

std::expected<void, memory_error> vault::save(const std::string& path, const passphrase& phrase, const save_options& chosen) {
  if (state_ == nullptr) return std::unexpected(memory_error::wiped);
  if (chosen.cost < least_cost || chosen.cost > most_cost) return std::unexpected(memory_error::limit);
  return internal::save_vault(*state_, path, chosen.cost, stretched(phrase), chosen.watch);
}

std::expected<vault, memory_error> vault::load(const std::string& path, const passphrase& phrase) {
  return load(path, phrase, load_options{});
}

std::expected<vault, memory_error> vault::load(const std::string& path, const passphrase& phrase, const load_options& chosen) {
  auto state = internal::load_vault(path, stretched(phrase), chosen);
  if (!state) return std::unexpected(state.error());
  return vault(std::move(*state));
}

}  // namespace lockfast
