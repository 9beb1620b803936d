// vault_disk.cc - what saving and loading share: the key of a file, its header, the watcher.
#include "boojum/vault_disk.h"

#include <algorithm>

#include "boojum/fork.h"

namespace lockfast::internal {

std::expected<void, memory_error> file_key::make(const file_key_maker& by, const vault_file_header& header) {
  if (bytes_.refused()) return std::unexpected(memory_error::refused);
  const auto made = by(header);
  if (!made) return std::unexpected(made.error());
  const auto view = made->try_read();
  if (!view) return std::unexpected(view.error());
  std::copy_n(view->data(), key_size, bytes_.data());
  return {};
}

std::expected<std::pair<vault_file_header, stored_header>, memory_error> read_header(const file_that_is& from) {
  stored_header stored;
  const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(from.size(), stored_header::max_size));
  if (platform::read_at(from.opened(), 0, stored.room().first(size)) != 0) return std::unexpected(memory_error::file_system);
  const auto header = stored.parse(size);
  if (!header) return std::unexpected(header.error());
  return std::pair(*header, stored);
}

std::expected<void, memory_error> tell(const vault::watcher& watch, const vault::progress& now) {
  if (watch == nullptr) return {};
  const unsigned before = fork_generation();
  const bool goes_on = watch(now);
  if (fork_generation() != before) return std::unexpected(memory_error::unavailable);
  if (!goes_on) return std::unexpected(memory_error::cancelled);
  return {};
}

}  // namespace lockfast::internal
