// vault_rekey.cc - the move of all records from one key to the next.
#include <lockfast/lockfast.h>

#include "boojum/plain_room.h"
#include "boojum/sealed_room.h"
#include "boojum/vault_state.h"

namespace lockfast::internal {
void vault_state::rekey_when_due() {
  if (most_key_age_.count() == 0 || keys_.age() < most_key_age_ || !gate_.close_if_idle()) return;
  // A refusal leaves the age as it was, or every record whole under one of two keys: the next call tries again.
  (void)rekey_within_gate();
  gate_.open();
}

std::expected<void, memory_error> vault_state::rekey() {
  if (!gate_.close()) return std::unexpected(memory_error::busy);
  const auto done = rekey_within_gate();
  gate_.open();
  return done;
}

std::expected<void, memory_error> vault_state::rekey_within_gate() {
  // The key that is left must be in this process, else its records would be cut off.
  auto before = keys_.now();
  if (!before) return std::unexpected(before.error());
  if (auto there = session(*this, std::move(*before)).begin(); !there) return there;
  if (auto begun = keys_.begin_turn(); !begun) return begun;
  auto keys = keys_.now();
  if (!keys) return std::unexpected(keys.error());
  session with(*this, std::move(*keys));
  if (auto there = with.begin(); !there) return there;
  const auto moved = rekey_shards(with);
  hot_.drop_all();  // which have versions that no call asks for any more
  if (!moved) return std::unexpected(moved.error());
  keys_.end_turn();
  if (!*moved) return std::unexpected(memory_error::damaged);
  return {};
}

std::expected<bool, memory_error> vault_state::rekey_shards(session& with) {
  bool whole = true;
  for (std::size_t number = 0; number < shard_count; ++number) {
    const auto moved = rekey_shard(number, with);
    if (!moved) return moved;
    whole = whole && *moved;
  }
  return whole;
}

// Whether every record was whole. The gate is closed, so that no record is changed but by this.
std::expected<bool, memory_error> vault_state::rekey_shard(std::size_t number, session& with) {
  plain_room plain;
  bool whole = true;
  for (auto at = shards_[number].next_live(0); at; at = shards_[number].next_live(at->slot + 1)) {
    const location where{number, *at};
    const auto found = shards_[number].find(*at);
    if (!found) continue;
    // It was moved by a re-key that was refused later, or is damaged since one of before.
    const bool moved_before = found->epoch == with.current();
    const auto room = plain.of(found->size);
    sealed_room sealed(found->size);
    if (room.empty() || sealed.refused()) return std::unexpected(memory_error::refused);
    const auto opened = with.open(where, room);
    if (!opened && opened.error() == memory_error::damaged) {
      whole = false;
      continue;
    }
    if (!opened) return std::unexpected(opened.error());
    if (moved_before) continue;
    seal_head head;
    const record_state next{found->size, found->version + 1, with.current()};
    if (auto done = with.seal(id_of(where), next.version, room, head, sealed.bytes()); !done)
      return std::unexpected(done.error());
    lockfast_wipe(room.data(), room.size());
    if (auto moved = shards_[number].replace(*at, next, head, sealed.bytes()); !moved) return std::unexpected(moved.error());
  }
  return whole;
}

}  // namespace lockfast::internal
