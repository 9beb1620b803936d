// saving.h - what the tests of saves share.
#ifndef LOCKFAST_TESTS_VAULT_SAVING_H
#define LOCKFAST_TESTS_VAULT_SAVING_H

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "boojum/vault/file_io.h"
#include "support/traced.h"
#include "vault/file_key.h"

using lockfast::memory_error;
using lockfast::vault;
using lockfast::internal::load_vault;
using lockfast::internal::save_vault;
using lockfast::internal::vault_state;

inline const lockfast::internal::save_request work = {.key = {.cost = 10}};

inline vault::id inserted(vault_state& records, const traced& secret) {
  const auto held = secret.buffer();
  const auto view = held.read();
  const std::span<const std::byte> bytes(view.data(), view.size());
  vault::id id;
  REQUIRE(records.insert({&bytes, 1}, {&id, 1}).has_value());
  return id;
}

inline bool holds(vault_state& records, vault::id which, const traced& secret) {
  const auto view = records.open(which);
  return view && secret.equals(view->span());
}

inline std::size_t entries_of(const std::filesystem::path& folder) {
  return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

inline std::vector<char> contents_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

#endif
