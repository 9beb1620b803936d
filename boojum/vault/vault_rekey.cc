// vault_rekey.cc - the move of all records from one key to the next.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <optional>
#include <span>

#include "boojum/memory/locked_buffer.h"
#include "boojum/vault/vault_state.h"

namespace lockfast::internal {
namespace {

using clock = std::chrono::steady_clock;

// What one call carries of a re-key that is due: some 0.2 ms.
constexpr std::size_t step_records = 64;
constexpr std::size_t step_bytes = 65536;

constexpr clock::duration min_pause = std::chrono::seconds(1);
constexpr clock::duration max_pause = std::chrono::hours(1);

// The next records of a shard on their way from one key to the other. Nothing else changes them meanwhile.
class rekey_batch {
 public:
  // Those from a slot on: a batch, or fewer where they are long.
  rekey_batch(sealed_shard& of, std::size_t number, std::uint32_t slot) : shard_(of), end_(slot) {
    while (count_ < records_.size()) {
      const auto found = of.next_live(end_);
      if (!found || (count_ != 0 && bytes_ + found->state.size > vault_state::batch_bytes)) break;
      records_[count_].where = {number, found->at};
      records_[count_].state = found->state;
      bytes_ += found->state.size;
      end_ = found->at.slot + 1;
      ++count_;
    }
  }

  [[nodiscard]] bool empty() const { return count_ == 0; }
  [[nodiscard]] std::size_t count() const { return count_; }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  [[nodiscard]] std::uint32_t end() const { return end_; }  // the slot behind them

  // Whether all of them were whole; what is not stays as it is. A refusal leaves each whole under one of the two keys.
  [[nodiscard]] std::expected<bool, memory_error> move(vault_state::session& with, locked_buffer& plain) {
    const auto room = plain.of(bytes_);
    if (room.empty()) return std::unexpected(memory_error::denied);
    const auto done = move_through(room, with);
    lockfast_wipe(room.data(), room.size());
    return done;
  }

 private:
  using passing_record = vault_state::passing_record;

  std::expected<bool, memory_error> move_through(std::span<std::byte> room, vault_state::session& with) {
    const auto batch = std::span(records_).first(count_);
    const auto opened = open(batch, room, with);
    if (opened) return seal(batch, with);
    if (opened.error() != memory_error::damaged) return std::unexpected(opened.error());
    // One by one, since the others are whole.
    bool whole = true;
    for (std::size_t at = 0; at < batch.size(); ++at) {
      const auto one = batch.subspan(at, 1);
      const auto again = open(one, room, with);
      if (!again && again.error() != memory_error::damaged) return std::unexpected(again.error());
      whole = whole && again.has_value();
      if (!again) continue;
      if (auto done = seal(one, with); !done) return done;
    }
    return whole;
  }

  std::expected<void, memory_error> open(std::span<passing_record> batch, std::span<std::byte> room,
                                         vault_state::session& with) {
    for (passing_record& each : batch) {
      const auto out = room.first(each.state.size);
      room = room.subspan(out.size());
      if (!shard_.read(each.where.at, each.head, out)) return std::unexpected(memory_error::damaged);
      each.from = out;
      each.to = out.data();
    }
    return with.open_read(batch);
  }

  // In the place of the plain bytes. True, unless it is refused.
  std::expected<bool, memory_error> seal(std::span<passing_record> batch, vault_state::session& with) {
    // Some were moved by a re-key that was refused later, or stayed behind when one of before found them damaged.
    const auto moved =
        std::ranges::partition(batch, [&](const passing_record& each) { return each.state.epoch != with.current(); });
    const auto left = batch.first(batch.size() - moved.size());
    for (passing_record& each : left) each.state = {each.state.size, each.state.version + 1, with.current()};
    if (left.empty()) return true;
    if (auto done = with.seal(left); !done) return std::unexpected(done.error());
    for (const passing_record& each : left) {
      if (auto done = shard_.replace(each.where.at, each.state, each.head, each.from); !done)
        return std::unexpected(done.error());
    }
    return true;
  }

  sealed_shard& shard_;
  std::array<passing_record, vault_state::batch_size> records_;
  std::size_t count_ = 0;
  std::size_t bytes_ = 0;
  std::uint32_t end_;
};

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
  std::size_t records = 0;
  std::size_t bytes = 0;
  while (records < step_records && bytes < step_bytes) {
    if (progress.next.shard == shard_count) {
      hot_.drop_all();  // which have versions that no call asks for any more
      keys_.end_turn();
      return true;
    }
    rekey_batch batch(shards_[progress.next.shard], progress.next.shard, progress.next.at.slot);
    if (batch.empty()) {
      progress.next = {progress.next.shard + 1, {0, 0}};
      continue;
    }
    if (const auto moved = batch.move(with, plain); !moved) return std::unexpected(moved.error());
    records += batch.count();
    bytes += batch.bytes();
    progress.next.at.slot = batch.end();
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
  for (std::uint32_t slot = 0;;) {
    rekey_batch batch(shards_[number], number, slot);
    if (batch.empty()) return whole;
    const auto moved = batch.move(with, plain);
    if (!moved) return moved;
    whole = whole && *moved;
    slot = batch.end();
  }
}

}  // namespace lockfast::internal
