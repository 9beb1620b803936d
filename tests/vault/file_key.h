// file_key.h - the key of a saved vault without a passphrase, and a folder for its file: for tests that save a thousand times.
#ifndef LOCKFAST_TESTS_VAULT_FILE_KEY_H
#define LOCKFAST_TESTS_VAULT_FILE_KEY_H

#include <cstdint>
#include <filesystem>
#include <string>

#include "boojum/vault/file_io.h"

// A key that follows from the salt and a number.
inline lockfast::internal::file_key_maker key_from(unsigned number = 0) {
  return [number](const lockfast::internal::vault_file_header& header) {
    return lockfast::buffer<std::byte>::filled(lockfast::internal::key_size, [&](std::span<std::byte> key) {
      for (std::size_t at = 0; at < key.size(); ++at) key[at] = header.salt[at] ^ static_cast<std::byte>(number + at);
    });
  };
}

// A folder of the test's own, gone with it.
class own_folder {
 public:
  own_folder() {
    std::uint64_t number = 0;
    lockfast_random(&number, sizeof number);
    const auto path = std::filesystem::temp_directory_path() / ("lockfast-vault-" + std::to_string(number));
    if (std::filesystem::create_directory(path)) path_ = path;
  }
  ~own_folder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  own_folder(const own_folder&) = delete;
  own_folder& operator=(const own_folder&) = delete;

  std::string file(const char* name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

#endif
