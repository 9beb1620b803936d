// file_io.h - saving and loading: which file, under which key, and the records between a vault and a stream of chunks.
//
// A save writes beside the file that it will replace, ".NAME.saving", which it holds; a left-over that nobody holds is removed
// first. Only a file that is whole and synced takes the name, and then the directory is synced.
//
// Threads: everything from any thread.
#ifndef LOCKFAST_BOOJUM_VAULT_FILE_IO_H
#define LOCKFAST_BOOJUM_VAULT_FILE_IO_H

#include <lockfast/vault.hpp>

#include <expected>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "boojum/files/named_file.h"
#include "boojum/memory/scratch.h"
#include "boojum/vault/format.h"
#include "boojum/vault/vault_state.h"

namespace lockfast::internal {

// Makes the key of a file from its header: by scrypt, but for tests.
using file_key_maker = std::function<std::expected<buffer<std::byte>, memory_error>(const vault_file_header&)>;

// The key of a file for the length of a call.
class file_key {
 public:
  // Refuses as the maker does; refused.
  [[nodiscard]] std::expected<void, memory_error> make(const file_key_maker& by, const vault_file_header& header);
  // Requires that it was made.
  [[nodiscard]] key_view view() const { return bytes_.bytes().first<key_size>(); }

 private:
  scratch bytes_{key_size};
};

// How a vault is to be saved.
struct save_request {
  stretching key;
  vault::replaces over = vault::replaces::own_file;
  const name_hold* hold = nullptr;  // of the path, by the caller; otherwise the save takes one
};

// Refuses as vault::save does.
[[nodiscard]] std::expected<void, memory_error> save_vault(vault_state& from, const std::string& path,
                                                           const save_request& wanted, const file_key_maker& make_key,
                                                           const vault::watcher& watch);

[[nodiscard]] std::expected<std::unique_ptr<vault_state>, memory_error> load_vault(const std::string& path,
                                                                                   const file_key_maker& make_key,
                                                                                   const vault::load_options& chosen);

// The same, to and from memory.
[[nodiscard]] std::expected<std::vector<std::byte>, memory_error> save_vault(vault_state& from, const stretching& cost,
                                                                             const file_key_maker& make_key,
                                                                             const vault::watcher& watch);
[[nodiscard]] std::expected<std::unique_ptr<vault_state>, memory_error> load_vault(std::span<const std::byte> saved,
                                                                                   const file_key_maker& make_key,
                                                                                   const vault::load_options& chosen);

// Reads the header of a saved vault of so many bytes, which nothing has verified. The path is for notes, or null.
[[nodiscard]] std::expected<std::pair<vault_file_header, stored_header>, memory_error> read_header(const chunk_place& from,
                                                                                                   std::uint64_t size,
                                                                                                   const char* path);

// Calls the watcher. Refuses: cancelled - it said so; unavailable - this is a child that it has forked: then what the caller
// holds of the parent's is gone.
[[nodiscard]] std::expected<void, memory_error> tell(const vault::watcher& watch, const vault::progress& now);

}  // namespace lockfast::internal

#endif
