// vault_state.cc - ids, sealing, and the changes of records.
#include "boojum/crypto/drawn.h"
#include "boojum/vault/vault_state.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstring>
#include <utility>

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

// A batch as the cipher takes it.
class messages {
 public:
  messages(const vault_identity& vault, std::span<vault_state::passing_record> batch) : count_(batch.size()) {
    for (std::size_t at = 0; at < count_; ++at) {
      vault_state::passing_record& each = batch[at];
      bindings_[at] = binding_of(vault, vault_state::id_of(each.where), each.state.version);
      all_[at] = {&each.head.once, bindings_[at], each.from, each.to, &each.head.tag};
    }
  }

  [[nodiscard]] std::span<const batched_message> get() const { return std::span(all_).first(count_); }

 private:
  std::array<binding, vault_state::batch_size> bindings_;
  std::array<batched_message, vault_state::batch_size> all_;
  std::size_t count_;
};

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

std::expected<void, memory_error> vault_state::session::seal(std::span<passing_record> batch) {
  const auto key = keys_.of(keys_.current());
  if (!key) return std::unexpected(key.error());
  std::array<nonce, batch_size> nonces;
  if (auto drawn = draw_nonces(std::span(nonces).first(batch.size())); !drawn) return drawn;
  for (std::size_t at = 0; at < batch.size(); ++at) batch[at].head.once = nonces[at];
  const messages all(of_.identity_, batch);
  seal_together(*key, all.get());
  return {};
}

std::expected<record_state, memory_error> vault_state::session::open(const location& where, std::span<std::byte> out) {
  seal_head head;
  const auto found = of_.shards_[where.shard].read(where.at, head, out);
  if (!found) return std::unexpected(memory_error::not_found);
  if (found->size != out.size()) return std::unexpected(memory_error::busy);
  passing_record record = {.where = where, .state = *found, .head = head, .from = out, .to = out.data()};
  if (auto done = open_read({&record, 1}); !done) return std::unexpected(done.error());
  return *found;
}

std::expected<void, memory_error> vault_state::session::open_read(std::span<passing_record> batch) {
  const auto changed_or = [&](memory_error otherwise) {
    return std::unexpected(of_.keys_.rotation() != rotation() ? memory_error::busy : otherwise);
  };
  while (!batch.empty()) {
    // While a re-key goes on, some are under one key and some under the other.
    std::size_t count = 1;
    while (count < batch.size() && batch[count].state.epoch == batch.front().state.epoch) ++count;
    const auto key = keys_.of(batch.front().state.epoch);
    if (!key) return changed_or(key.error());
    const messages all(of_.identity_, batch.first(count));
    if (!internal::open_together(*key, all.get())) return changed_or(memory_error::damaged);
    batch = batch.subspan(count);
  }
  return {};
}

// ---- Changes --------------------------------------------------------------------------------------------------------------

std::expected<void, memory_error> vault_state::admit(session& with, const location& where, std::span<const std::byte> secret) {
  passing_record record = {.where = where, .from = secret};
  return admit(with, {&record, 1});
}

std::expected<void, memory_error> vault_state::admit(session& with, std::span<passing_record> batch) {
  std::size_t sum = 0;
  for (const passing_record& each : batch) sum += each.from.size();
  small_buffer sealed(sum);
  if (sealed.refused()) return std::unexpected(memory_error::denied);
  std::byte* next = sealed.bytes().data();
  for (passing_record& each : batch) {
    each.to = next;
    next += each.from.size();
  }
  if (auto done = with.seal(batch); !done) return done;
  for (const passing_record& each : batch) {
    const std::span<const std::byte> bytes(each.to, each.from.size());
    if (auto done = shards_[each.where.shard].publish(each.where.at, with.current(), each.head, bytes); !done) return done;
  }
  return {};
}

// All of them, or none.
std::expected<void, memory_error> vault_state::insert_batch(session& with, vault::spans secrets, std::span<vault::id> ids) {
  std::array<passing_record, batch_size> records;
  const auto batch = std::span(records).first(secrets.size());
  std::size_t reserved = 0;
  const auto insert_all = [&]() -> std::expected<void, memory_error> {
    for (passing_record& each : batch) {
      each.from = secrets[reserved];
      if (each.from.empty()) return std::unexpected(memory_error::zero_size);
      if (each.from.size() > sealed_shard::max_size) return std::unexpected(memory_error::limit_exceeded);
      const std::size_t number = turn_.fetch_add(1, std::memory_order_relaxed) % shard_count;
      const auto slot = shards_[number].reserve();
      if (!slot) return std::unexpected(slot.error());
      each.where = {number, *slot};
      ++reserved;
    }
    return admit(with, batch);
  };
  if (auto done = insert_all(); !done) {
    for (const passing_record& each : batch.first(reserved)) take_back(each.where);
    return done;
  }
  for (std::size_t at = 0; at < batch.size(); ++at) ids[at] = id_of(batch[at].where);
  return {};
}

// A record that was inserted, or a slot that was reserved for it.
void vault_state::take_back(const location& where) {
  sealed_shard& shard = shards_[where.shard];
  if (!shard.abandon(where.at)) shard.erase(where.at);
  drop_hot(id_of(where));  // ids can be guessed
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
  for (std::size_t done = 0; done < secrets.size();) {
    std::size_t bytes = secrets[done].size();
    std::size_t count = 1;
    for (; count < batch_size && done + count < secrets.size(); ++count) {
      bytes += secrets[done + count].size();
      if (bytes > batch_bytes) break;
    }
    if (auto inserted = insert_batch(with, secrets.subspan(done, count), ids.subspan(done, count)); !inserted) {
      while (done > 0) take_back(locate(std::exchange(ids[--done], {})));
      return inserted;
    }
    done += count;
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
    passing_record record = {.where = where, .state = next, .from = secret, .to = sealed.bytes().data()};
    if (auto done = with.seal({&record, 1}); !done) return done;
    const auto replaced = shards_[where.shard].replace(where.at, next, record.head, sealed.bytes());
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
    if (const auto found = shards_[where.shard].next_live(where.at.slot)) return id_of({where.shard, found->at});
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
