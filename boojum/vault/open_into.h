// open_into.h - a record opened into locked memory that the caller has, without a block of its own.
#ifndef LOCKFAST_BOOJUM_VAULT_OPEN_INTO_H
#define LOCKFAST_BOOJUM_VAULT_OPEN_INTO_H

#include <expected>
#include <span>

#include "boojum/memory/locked_buffer.h"
#include "boojum/vault/vault_state.h"

namespace lockfast::internal {

// What the vault's open gives; valid until the room's next use.
[[nodiscard]] inline std::expected<std::span<std::byte>, memory_error> open_into(vault_state& from, vault::id which,
                                                                                 locked_buffer& room) {
  const auto where = vault_state::locate(which);
  for (;;) {
    const auto found = from.find(which);
    if (!found) return std::unexpected(memory_error::not_found);
    const auto out = room.of(found->size);
    if (out.empty()) return std::unexpected(memory_error::denied);
    auto keys = from.keys();
    if (!keys) return std::unexpected(keys.error());
    const auto done = vault_state::session(from, std::move(*keys)).open(where, out);
    if (done) return out;
    if (done.error() != memory_error::busy)
      return std::unexpected(done.error());  // otherwise it or the keys have changed meanwhile
  }
}

}  // namespace lockfast::internal

#endif
