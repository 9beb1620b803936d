// vault_names.cc - records under names, ids reserved before they are filled, and owners: the calls of a vault's state and of its
// interface.
#include <lockfast/vault.hpp>

#include <cstring>
#include <utility>

#include "boojum/memory/consume.h"
#include "boojum/memory/locked_buffer.h"
#include "boojum/vault/vault_state.h"
#include "boojum/vault/with_room.h"

namespace lockfast {
namespace internal {

using result = std::expected<void, memory_error>;

std::expected<vault::id, memory_error> vault_state::reserve() {
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  const std::size_t number = turn_.fetch_add(1, std::memory_order_relaxed) % shard_count;
  const auto reserved = shards_[number].reserve();
  if (!reserved) return std::unexpected(reserved.error());
  return id_of({number, *reserved});
}

result vault_state::fill(vault::id reserved, std::span<const std::byte> secret) {
  rekey_when_due();
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  if (secret.size() > sealed_shard::max_size) return std::unexpected(memory_error::limit_exceeded);
  const location where = locate(reserved);
  if (!shards_[where.shard].is_reserved(where.at)) return std::unexpected(memory_error::not_found);
  auto keys = keys_.now();
  if (!keys) return std::unexpected(keys.error());
  session with(*this, std::move(*keys));
  return admit(with, where, secret);
}

std::expected<vault::id, memory_error> vault_state::insert(std::string_view name, std::span<const std::byte> secret) {
  rekey_when_due();
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  if (name.empty()) return std::unexpected(memory_error::zero_size);
  vault::id made;
  if (auto done = insert_within_gate({&secret, 1}, {&made, 1}); !done) return std::unexpected(done.error());
  if (auto named = names_.set(made, record_names::part::name, name); !named) {
    const location where = locate(made);
    shards_[where.shard].erase(where.at);
    drop_hot(made);
    return std::unexpected(named.error());
  }
  return made;
}

result vault_state::describe(vault::id which, record_names::part part, std::string_view text) {
  const gate_pass change(gate_);
  if (!change.inside()) return std::unexpected(memory_error::busy);
  const location where = locate(which);
  const auto is_there = [&] { return shards_[where.shard].find(where.at) || shards_[where.shard].is_reserved(where.at); };
  if (!is_there()) return std::unexpected(memory_error::not_found);
  if (auto done = names_.set(which, part, text); !done) return done;
  if (is_there()) return {};
  names_.forget(which);  // it was erased meanwhile
  return std::unexpected(memory_error::not_found);
}

namespace {

std::expected<buffer<std::byte>, memory_error> text_of(vault_state& from, vault::id which, record_names::part part) {
  locked_buffer room;
  const auto described = from.names().open(which, room);
  if (!described) return std::unexpected(described.error());
  const std::string_view text = described->text(part);
  if (text.empty()) return std::unexpected(memory_error::not_found);
  return buffer<std::byte>::filled(text.size(),
                                   [&](std::span<std::byte> out) { std::memcpy(out.data(), text.data(), out.size()); });
}

}  // namespace
}  // namespace internal

namespace {

using internal::record_names;
using internal::with_room;

}  // namespace

std::expected<vault::id, memory_error> vault::insert(std::string_view name, buffer<std::byte>&& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return internal::consume(std::move(secret), [&](std::span<const std::byte> bytes) {
    return with_room(*state_, [&] { return state_->insert(name, bytes); });
  });
}

std::expected<vault::id, memory_error> vault::insert(std::string_view name, const buffer<std::byte>& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  const auto opened = secret.try_read();
  if (!opened) return std::unexpected(opened.error());
  return with_room(*state_, [&] { return state_->insert(name, {opened->data(), opened->size()}); });
}

std::expected<vault::id, memory_error> vault::reserve() {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return state_->reserve(); });
}

std::expected<void, memory_error> vault::fill(id reserved, buffer<std::byte>&& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return internal::consume(std::move(secret), [&](std::span<const std::byte> bytes) {
    return with_room(*state_, [&] { return state_->fill(reserved, bytes); });
  });
}

std::expected<void, memory_error> vault::fill(id reserved, const buffer<std::byte>& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  const auto opened = secret.try_read();
  if (!opened) return std::unexpected(opened.error());
  return with_room(*state_, [&] { return state_->fill(reserved, {opened->data(), opened->size()}); });
}

std::expected<void, memory_error> vault::rename(id which, std::string_view name) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return state_->describe(which, record_names::part::name, name); });
}

std::expected<void, memory_error> vault::relabel(id which, std::string_view label) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return state_->describe(which, record_names::part::label, label); });
}

std::expected<vault::id, memory_error> vault::find(std::string_view name) const {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return state_->names().find(name); });
}

std::expected<buffer<std::byte>, memory_error> vault::name_of(id which) const {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return internal::text_of(*state_, which, record_names::part::name); });
}

std::expected<buffer<std::byte>, memory_error> vault::label_of(id which) const {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return internal::text_of(*state_, which, record_names::part::label); });
}

std::expected<void, memory_error> vault::for_each_described(const std::function<void(const description&)>& look) const {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return state_->names().for_each([&](const record_names::description& one) -> std::expected<void, memory_error> {
    look({one.which, one.name, one.label});
    return {};
  });
}

// ---- Owners ---------------------------------------------------------------------------------------------------------------

vault::owner vault::own(id which) { return owner(state_, which); }

void vault::owner::reset() {
  if (const auto of = of_.lock(); of != nullptr && which_ != id()) (void)of->erase(which_);
  which_ = id();
}

}  // namespace lockfast
