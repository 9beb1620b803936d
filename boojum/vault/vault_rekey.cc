// vault_rekey.cc - the move of all records from one key to the next.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "boojum/memory/locked_buffer.h"
#include "boojum/memory/small_buffer.h"
#include "boojum/vault/vault_state.h"

namespace lockfast::internal {
namespace {

using clock = std::chrono::steady_clock;

// What one call carries of a re-key that is due: some 0.2 ms.
constexpr std::size_t step_records = 64;
constexpr std::size_t step_bytes = 65536;

constexpr clock::duration min_pause = std::chrono::seconds(1);
constexpr clock::duration max_pause = std::chrono::hours(1);

}  // namespace

bool vault_state::rekey_is_due() const {
  if (max_key_age_.count() == 0) return false;
  if (clock::now().time_since_epoch().count() < rekey_not_before_.load(std::memory_order_relaxed)) return false;
  return rekey_goes_on_.load(std::memory_order_relaxed) || keys_.age() >= max_key_age_;
}

void vault_state::rekey_again_in(clock::duration time) {
  rekey_not_before_.store((clock::now() + time).time_since_epoch().count(), std::memory_order_relaxed);
}

// A step of a re-key, carried by a call that comes while it is due. A refusal leaves every record whole under one of two keys;
// the steps go on after a pause, which doubles with each refusal.
void vault_state::rekey_when_due() {
  if (!rekey_is_due() || !gate_.close_if_idle()) return;
  const auto done = rekey_some();
  rekey_progress& progress = rekey_progress_;
  if (!done) {
    progress.pause = std::clamp(2 * progress.pause, min_pause, max_pause);
    rekey_again_in(progress.pause);
  } else if (*done) {
    progress = {};
    rekey_goes_on_.store(false, std::memory_order_relaxed);
    rekey_again_in(max_key_age_);
  }
  gate_.open();
}

// Whether that was the last step. Requires a closed gate.
std::expected<bool, memory_error> vault_state::rekey_some() {
  rekey_progress& progress = rekey_progress_;
  if (!rekey_goes_on_.load(std::memory_order_relaxed)) {
    if (auto begun = begin_rekey(); !begun) return std::unexpected(begun.error());
    progress.next = {0, {0, 0}};
    rekey_goes_on_.store(true, std::memory_order_relaxed);
  }
  auto keys = keys_.now();
  if (!keys) return std::unexpected(keys.error());
  session with(*this, std::move(*keys));
  locked_buffer plain;
  std::size_t bytes = 0;
  for (std::size_t count = 0; count < step_records && bytes < step_bytes; ++count) {
    std::optional<tenancy> at;
    for (; progress.next.shard < shard_count; ++progress.next.shard, progress.next.at.slot = 0) {
      at = shards_[progress.next.shard].next_live(progress.next.at.slot);
      if (at) break;
    }
    if (!at) {
      hot_.drop_all();  // which have versions that no call asks for any more
      keys_.end_turn();
      return true;
    }
    const auto moved = rekey_record({progress.next.shard, *at}, with, plain);
    if (!moved) return std::unexpected(moved.error());
    if (const auto found = shards_[progress.next.shard].find(*at)) bytes += found->size;
    progress.next.at.slot = at->slot + 1;
  }
  return false;
}

std::expected<void, memory_error> vault_state::rekey() {
  if (!gate_.close()) return std::unexpected(memory_error::busy);
  const auto done = rekey_within_gate();
  if (done || done.error() == memory_error::damaged) {
    rekey_progress_ = {};
    rekey_goes_on_.store(false, std::memory_order_relaxed);
  }
  gate_.open();
  if (const auto renamed = names_.rekey(); done && !renamed) return renamed;
  return done;
}

std::expected<void, memory_error> vault_state::begin_rekey() {
  // The key that is left must be in this process, else its records would be cut off.
  auto before = keys_.now();
  if (!before) return std::unexpected(before.error());
  if (auto there = session(*this, std::move(*before)).begin(); !there) return there;
  return keys_.begin_turn();
}

std::expected<void, memory_error> vault_state::rekey_within_gate() {
  if (auto begun = begin_rekey(); !begun) return begun;
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
  locked_buffer plain;
  bool whole = true;
  for (auto at = shards_[number].next_live(0); at; at = shards_[number].next_live(at->slot + 1)) {
    const auto moved = rekey_record({number, *at}, with, plain);
    if (!moved) return moved;
    whole = whole && *moved;
  }
  return whole;
}

// Whether it was whole.
std::expected<bool, memory_error> vault_state::rekey_record(const location& where, session& with, locked_buffer& plain) {
  sealed_shard& shard = shards_[where.shard];
  const auto found = shard.find(where.at);
  if (!found) return true;
  // It was moved by a re-key that was refused later, or is damaged since one of before.
  const bool moved_before = found->epoch == with.current();
  const auto room = plain.of(found->size);
  small_buffer sealed(found->size);
  if (room.empty() || sealed.refused()) return std::unexpected(memory_error::denied);
  const auto opened = with.open(where, room);
  if (!opened && opened.error() == memory_error::damaged) return false;
  if (!opened) return std::unexpected(opened.error());
  if (moved_before) {
    lockfast_wipe(room.data(), room.size());
    return true;
  }
  seal_head head;
  const record_state next{found->size, found->version + 1, with.current()};
  if (auto done = with.seal(id_of(where), next.version, room, head, sealed.bytes()); !done)
    return std::unexpected(done.error());
  lockfast_wipe(room.data(), room.size());
  if (auto moved = shard.replace(where.at, next, head, sealed.bytes()); !moved) return std::unexpected(moved.error());
  return true;
}

}  // namespace lockfast::internal
