// file_io.cc - what saving and loading share: the key of a file, its header, the watcher.
#include "boojum/vault/file_io.h"

#include <algorithm>

#include "boojum/memory/error_note.h"
#include "boojum/memory/fork.h"

namespace lockfast::internal {

std::expected<void, memory_error> file_key::make(const file_key_maker& by, const vault_file_header& header) {
  if (bytes_.refused()) return std::unexpected(memory_error::denied);
  const auto made = by(header);
  if (!made) return std::unexpected(made.error());
  const auto view = made->try_read();
  if (!view) return std::unexpected(view.error());
  std::copy_n(view->data(), key_size, bytes_.data());
  return {};
}

std::expected<std::pair<vault_file_header, stored_header>, memory_error> read_header(const chunk_place& from,
                                                                                     std::uint64_t size, const char* path) {
  stored_header stored;
  const auto front = static_cast<std::size_t>(std::min<std::uint64_t>(size, stored_header::max_size));
  if (const platform::error refusal = from.read_at(0, stored.room().first(front)); refusal != 0) {
    return refused_by_system(refusal, "cannot read", path);
  }
  const auto header = stored.parse(front, path);
  if (!header) return std::unexpected(header.error());
  return std::pair(*header, stored);
}

std::expected<void, memory_error> tell(const vault::watcher& watch, const vault::progress& now) {
  if (watch == nullptr) return {};
  const unsigned before = fork_generation();
  const bool goes_on = watch(now);
  forget_note();  // of what the watcher did
  if (fork_generation() != before) {
    return refused_because(memory_error::unavailable, nullptr,
                           "this is a child that the watcher has forked; its parent goes on");
  }
  if (!goes_on) return refused_because(memory_error::cancelled, nullptr, "the watcher stopped it");
  return {};
}

}  // namespace lockfast::internal
