// vault.cc - the interface: each call is passed on to what a vault owns, or refused when there is nothing.
#include <lockfast/vault.hpp>

#include <algorithm>
#include <new>
#include <utility>

#include "boojum/memory/consume.h"
#include "boojum/vault/vault_state.h"
#include "boojum/vault/with_room.h"

namespace lockfast {
namespace {

using internal::with_room;

// One secret, as the state takes several.
std::expected<vault::id, memory_error> insert_into(internal::vault_state& state, std::span<const std::byte> secret) {
  vault::id id;
  const auto done = with_room(state, [&] { return state.insert({&secret, 1}, {&id, 1}); });
  if (!done) return std::unexpected(done.error());
  return id;
}

std::expected<void, memory_error> replace_in(internal::vault_state& state, vault::id which, std::span<const std::byte> secret) {
  return with_room(state, [&] { return state.replace(which, secret); });
}

// Without memory for a state, or moved away.
constexpr auto nothing = memory_error::wiped;

}  // namespace

vault::vault() : vault(options{}) {}
vault::vault(const options& chosen)
    : vault(std::unique_ptr<internal::vault_state>(new(std::nothrow) internal::vault_state(chosen))) {}
vault::vault(std::unique_ptr<internal::vault_state>&& state) {
  try {
    state_ = std::move(state);
  } catch (const std::bad_alloc&) {
    // It is as one that was moved away.
  }
}
vault::~vault() = default;
vault::vault(vault&&) noexcept = default;
vault& vault::operator=(vault&&) noexcept = default;

std::expected<vault::id, memory_error> vault::insert(const buffer<std::byte>& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  const auto opened = secret.try_read();
  if (!opened) return std::unexpected(opened.error());
  return insert_into(*state_, opened->span());
}

std::expected<vault::id, memory_error> vault::insert(buffer<std::byte>&& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return internal::consume(std::move(secret), [&](std::span<const std::byte> bytes) { return insert_into(*state_, bytes); });
}

std::expected<void, memory_error> vault::insert(spans secrets, std::span<id> ids) {
  std::ranges::fill(ids, id());
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return state_->insert(secrets, ids); });
}

std::expected<void, memory_error> vault::replace(id which, const buffer<std::byte>& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  const auto opened = secret.try_read();
  if (!opened) return std::unexpected(opened.error());
  return replace_in(*state_, which, opened->span());
}

std::expected<void, memory_error> vault::replace(id which, buffer<std::byte>&& secret) {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return internal::consume(std::move(secret),
                           [&](std::span<const std::byte> bytes) { return replace_in(*state_, which, bytes); });
}

std::expected<void, memory_error> vault::erase(id which) {
  if (state_ == nullptr) return std::unexpected(nothing);
  return state_->erase(which);
}

std::expected<void, memory_error> vault::clear() {
  if (state_ == nullptr) return std::unexpected(nothing);
  return state_->clear();
}

std::expected<vault::view, memory_error> vault::open(id which) const {
  auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  auto opened = with_room(*state_, [&] { return state_->open(which); });
  if (opened) opened->use_ = std::move(*use);
  return opened;
}

std::expected<vault::views, memory_error> vault::open(std::span<const id> which) const {
  auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  auto opened = with_room(*state_, [&] { return state_->open(which); });
  if (opened) opened->use_ = std::move(*use);
  return opened;
}

std::size_t vault::size() const { return state_ == nullptr ? 0 : state_->size(); }

bool vault::contains(id which) const { return state_ != nullptr && state_->find(which).has_value(); }

std::expected<std::size_t, memory_error> vault::size_of(id which) const {
  if (state_ == nullptr) return std::unexpected(nothing);
  const auto found = state_->find(which);
  if (!found) return std::unexpected(memory_error::not_found);
  return found->size;
}

vault::id_range vault::ids() const { return id_range(state_.get()); }

vault::id vault::id_range::next(const internal::vault_state* of, id behind) { return of == nullptr ? id() : of->next(behind); }

std::uint64_t vault::footprint() const { return state_ == nullptr ? 0 : state_->footprint(); }

std::expected<void, memory_error> vault::rekey() {
  const auto use = begin_use();
  if (!use) return std::unexpected(use.error());
  return with_room(*state_, [&] { return state_->rekey(); });
}

std::chrono::steady_clock::duration vault::key_age() const {
  return state_ == nullptr ? std::chrono::steady_clock::duration() : state_->key_age();
}

std::uint64_t vault::saves() const { return state_ == nullptr ? 0 : state_->saves(); }

std::array<std::byte, 16> vault::identity() const {
  return state_ == nullptr ? internal::vault_identity() : state_->identity();
}

}  // namespace lockfast
