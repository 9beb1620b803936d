// vault_state.cc - ids, sealing, and the changes of records.
#include "boojum/crypto/drawn.h"
#include "boojum/vault/vault_state.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstring>

#include "boojum/memory/small_buffer.h"
#include "boojum/vault/vault_list.h"
#include "boojum/vault/vault_lock.h"

namespace lockfast::internal {
namespace {

// What a record is bound to: the vault, the id, the version.
constexpr std::size_t binding_size = sizeof(vault_identity) + sizeof(std::uint64_t) + sizeof(std::uint32_t);
using binding = std::array<std::byte, binding_size>;

binding binding_of(const vault_identity& vault, vault::id which, std::uint32_t version) {
  binding made;
  const std::uint64_t id = which.value();
  std::memcpy(made.data(), vault.data(), vault.size());
  std::memcpy(made.data() + vault.size(), &id, sizeof id);
  std::memcpy(made.data() + vault.size() + sizeof id, &version, sizeof version);
  return made;
}

// Where the system gives no random bytes it is of zeros, and nothing can be sealed: a vault without records.
vault_identity fresh_identity() {
  vault_identity made = {};
  if (const auto drawn = fresh_nonce()) std::memcpy(made.data(), drawn->data(), made.size());
  return made;
}

// A clock counts nanoseconds, of which the longest time in seconds has too many.
constexpr std::chrono::seconds max_key_age = std::chrono::years(100);

constexpr unsigned shard_bits = 4;
constexpr unsigned slot_bits = 28;
static_assert(vault_state::shard_count == std::size_t{1} << shard_bits);
static_assert(sealed_shard::max_slots == std::uint32_t{1} << slot_bits);

}  // namespace

vault_state::location vault_state::locate(vault::id which) {
  const std::uint64_t value = which.value();
  return {static_cast<std::size_t>(value % shard_count),
          {static_cast<std::uint32_t>(value >> shard_bits) % sealed_shard::max_slots,
           static_cast<std::uint32_t>(value >> (shard_bits + slot_bits))}};
}

vault::id vault_state::id_of(const location& where) {
  return vault::id(std::uint64_t{where.at.generation} << (shard_bits + slot_bits) | std::uint64_t{where.at.slot} << shard_bits |
                   where.shard);
}

vault_state::vault_state(const vault::options& chosen) : vault_state(chosen, fresh_identity(), 0) {}

vault_state::vault_state(const vault::options& chosen, const vault_identity& identity, std::uint64_t saves)
    : max_key_age_(std::clamp(chosen.key_age, std::chrono::seconds(0), max_key_age)),
      identity_(identity),
      saves_(saves),
      keys_(chosen.key_lease),
      hot_(chosen.hot_records),
      names_({.hot_records = 0, .key_age = max_key_age_, .key_lease = chosen.key_lease}) {
  vault_list::add(*this);
}

vault_state::~vault_state() {
  if (vault_lock* const there = lock()) there->detach();
  vault_list::remove(*this);
}

// ---- A session ------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> vault_state::session::begin() {
  const auto key = keys_.of(keys_.current());
  if (!key) return std::unexpected(key.error());
  return {};
}

std::expected<void, memory_error> vault_state::session::seal(vault::id which, std::uint32_t version,
                                                             std::span<const std::byte> plain, seal_head& head,
                                                             std::span<std::byte> sealed) {
  const auto key = keys_.of(keys_.current());
  if (!key) return std::unexpected(key.error());
  const auto once = draw_nonce();
  if (!once) return std::unexpected(once.error());
  head.once = *once;
  internal::seal(*key, head.once, binding_of(of_.identity_, which, version), plain, sealed, head.tag);
  return {};
}

std::expected<record_state, memory_error> vault_state::session::open(const location& where, std::span<std::byte> out) {
  seal_head head;
  const auto found = of_.shards_[where.shard].read(where.at, head, out);
  if (!found) return std::unexpected(memory_error::not_found);
  if (auto done = open_read(where, *found, head, out); !done) return std::unexpected(done.error());
  return *found;
}

std::expected<void, memory_error> vault_state::session::open_read(const location& where, const record_state& found,
                                                                  const seal_head& head, std::span<std::byte> bytes) {
  if (found.size != bytes.size()) return std::unexpected(memory_error::busy);
  const auto changed_or = [&](memory_error otherwise) {
    return std::unexpected(of_.keys_.rotation() != rotation() ? memory_error::busy : otherwise);
  };
  const auto key = keys_.of(found.epoch);
  if (!key) return changed_or(key.error());
  if (internal::open(*key, head.once, binding_of(of_.identity_, id_of(where), found.version), bytes, head.tag, bytes))
    return {};
  return changed_or(memory_error::damaged);
}

// ---- Changes --------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> vault_state::admit(session& with, const location& where, std::span<const std::byte> secret) {
  seal_head head;
  small_buffer sealed(secret.size());
  if (sealed.refused()) return std::unexpected(memory_error::denied);
  if (auto done = with.seal(id_of(where), 0, secret, head, sealed.bytes()); !done) return done;
  return shards_[where.shard].publish(where.at, with.current(), head, sealed.bytes());
}

std::expected<void, memory_error> vault_state::insert_one(session& with, std::span<const std::byte> secret, vault::id& out) {
  if (secret.empty()) return std::unexpected(memory_error::zero_size);
  if (secret.size() > sealed_shard::max_size) return std::unexpected(memory_error::limit_exceeded);
  const std::size_t number = turn_.fetch_add(1, std::memory_order_relaxed) % shard_count;
  const auto reserved = shards_[number].reserve();
  if (!reserved) return std::unexpected(reserved.error());
  const location where{number, *reserved};
  if (auto admitted = admit(with, where, secret); !admitted) {
    shards_[number].abandon(*reserved);
    return admitted;
  }
  out = id_of(where);
  return {};
}

std::expected<void, memory_error> vault_state::insert(vault::spans secrets, std::span<vault::id> ids) {
  rekey_when_due();
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  return insert_within_gate(secrets, ids);
}

std::expected<void, memory_error> vault_state::insert_within_gate(vault::spans secrets, std::span<vault::id> ids) {
  auto keys = keys_.now();
  if (!keys) return std::unexpected(keys.error());
  session with(*this, std::move(*keys));
  for (std::size_t at = 0; at < secrets.size(); ++at) {
    if (auto inserted = insert_one(with, secrets[at], ids[at]); !inserted) {
      while (at > 0) {
        const location where = locate(ids[--at]);
        shards_[where.shard].erase(where.at);
        drop_hot(ids[at]);  // ids can be guessed
        ids[at] = {};
      }
      return inserted;
    }
  }
  return {};
}

std::expected<void, memory_error> vault_state::replace(vault::id which, std::span<const std::byte> secret) {
  rekey_when_due();
  if (secret.size() > sealed_shard::max_size) return std::unexpected(memory_error::limit_exceeded);
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  const location where = locate(which);
  auto keys = keys_.now();
  if (!keys) return std::unexpected(keys.error());
  session with(*this, std::move(*keys));
  small_buffer sealed(secret.size());
  if (sealed.refused()) return std::unexpected(memory_error::denied);
  for (;;) {
    const auto before = shards_[where.shard].find(where.at);
    if (!before) return std::unexpected(memory_error::not_found);
    const record_state next{static_cast<std::uint32_t>(secret.size()), before->version + 1, with.current()};
    seal_head head;
    if (auto done = with.seal(which, next.version, secret, head, sealed.bytes()); !done) return done;
    const auto replaced = shards_[where.shard].replace(where.at, next, head, sealed.bytes());
    if (!replaced && replaced.error() == memory_error::busy) continue;  // another version came first
    if (replaced) drop_hot(which);
    return replaced;
  }
}

std::expected<void, memory_error> vault_state::erase(vault::id which) {
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  const location where = locate(which);
  sealed_shard& shard = shards_[where.shard];
  if (!shard.erase(where.at) && !shard.abandon(where.at)) return std::unexpected(memory_error::not_found);
  drop_hot(which);
  names_.forget(which);
  return {};
}

std::expected<void, memory_error> vault_state::clear() {
  if (!gate_.close()) return std::unexpected(memory_error::busy);
  for (sealed_shard& each : shards_) each.clear();
  names_.clear();
  gate_.open();
  hot_.drop_all();
  return {};
}

// ---- Queries --------------------------------------------------------------------------------------------------------------

std::size_t vault_state::size() const {
  std::size_t sum = 0;
  for (const sealed_shard& each : shards_) sum += each.live_count();
  return sum;
}

std::optional<record_state> vault_state::find(vault::id which) const {
  const location where = locate(which);
  return shards_[where.shard].find(where.at);
}

vault::id vault_state::next(vault::id behind) const {
  location where = locate(behind);
  if (behind != vault::id()) ++where.at.slot;
  for (; where.shard < shard_count; ++where.shard, where.at.slot = 0) {
    if (const auto found = shards_[where.shard].next_live(where.at.slot)) return id_of({where.shard, *found});
  }
  return {};
}

std::uint64_t vault_state::footprint() const {
  std::uint64_t sum = sizeof *this + names_.footprint();
  for (const sealed_shard& each : shards_) sum += each.footprint();
  return sum;
}

// ---- Fork -----------------------------------------------------------------------------------------------------------------

void vault_state::hold_lock_over_fork() {
  making_lock_.lock();
  if (vault_lock* const there = lock()) there->before_fork();
}

void vault_state::before_fork() {
  gate_.before_fork();
  keys_.lock();
  hot_.lock();
  history_.lock();
  names_.lock();
  for (sealed_shard& each : shards_) each.lock();
}

void vault_state::after_fork_in_parent() {
  for (sealed_shard& each : shards_) each.unlock();
  names_.unlock();
  history_.unlock();
  hot_.unlock();
  keys_.unlock();
  gate_.after_fork_in_parent();
  if (vault_lock* const there = lock()) there->after_fork_in_parent();
  making_lock_.unlock();
}

void vault_state::after_fork_in_child() {
  for (sealed_shard& each : shards_) each.unlock();
  names_.unlock();
  history_.unlock();
  hot_.drop_all_after_fork();
  keys_.forget_opened();
  hot_.unlock();
  keys_.unlock();
  gate_.after_fork_in_child();
  if (vault_lock* const there = lock()) there->after_fork_in_child();
  making_lock_.unlock();
}

}  // namespace lockfast::internal
