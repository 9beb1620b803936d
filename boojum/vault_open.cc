// vault_open.cc - records opened, one by one and together.
#include <lockfast/lockfast.h>

#include <memory>
#include <new>
#include <utility>

#include "boojum/vault_state.h"

namespace lockfast::internal {
namespace {

std::expected<std::shared_ptr<detail::cell>, memory_error> block_of(std::size_t size) {
  auto made = detail::cell::make(size);
  if (!made) return std::unexpected(made.error());
  try {
    return std::shared_ptr<detail::cell>(std::move(*made));
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::refused);
  }
}

}  // namespace

std::expected<vault::view, memory_error> vault_state::open(vault::id which) {
  rekey_when_due();
  const location where = locate(which);
  for (;;) {
    const auto found = shards_[where.shard].find(where.at);
    if (!found) return std::unexpected(memory_error::not_found);
    if (auto hot = hot_.find(which.value(), found->version)) {
      if (auto held = vault::view::hold::attempt(hot.get())) return vault::view(std::move(hot), std::move(*held));
    }
    auto keys = keys_.now();
    if (!keys) return std::unexpected(keys.error());
    session with(*this, std::move(*keys));
    auto opened = open_cold(which, where, *found, with);
    if (!opened && opened.error() == memory_error::busy) continue;  // it or the keys have changed meanwhile
    return opened;
  }
}

std::expected<vault::view, memory_error> vault_state::open_cold(vault::id which, const location& where,
                                                                const record_state& found, session& with) {
  auto block = block_of(found.size);
  if (!block) return std::unexpected(block.error());
  const auto opened = with.open(where, {(*block)->bytes(), (*block)->size()});
  if (!opened) return std::unexpected(opened.error());
  if (auto closed = (*block)->close_but_for_reader(); !closed) return std::unexpected(closed.error());
  auto held = vault::view::hold::first(block->get());
  if (hot_.capacity() != 0) {
    hot_.keep(which.value(), opened->version, *block);
    // It may have gone before it was kept; then nobody else takes it out.
    const auto now = shards_[where.shard].find(where.at);
    if (!now || now->version != opened->version) drop_hot(which);
  }
  return vault::view(std::move(*block), std::move(held));
}

std::expected<vault::views, memory_error> vault_state::open(std::span<const vault::id> which) {
  rekey_when_due();
  for (;;) {
    auto keys = keys_.now();
    if (!keys) return std::unexpected(keys.error());
    session with(*this, std::move(*keys));
    vault::views opened;
    const auto done = open_together(which, with, opened);
    if (done) return opened;
    if (done.error() != memory_error::busy) return std::unexpected(done.error());
  }
}

std::expected<void, memory_error> vault_state::open_together(std::span<const vault::id> which, session& with,
                                                             vault::views& out) {
  out.each_.reset(new (std::nothrow) std::span<const std::byte>[which.size()]);
  if (out.each_ == nullptr) return std::unexpected(memory_error::refused);
  std::size_t sum = 0;
  for (std::size_t at = 0; at < which.size(); ++at) {
    const auto found = find(which[at]);
    if (!found) return std::unexpected(memory_error::not_found);
    out.each_[at] = {static_cast<const std::byte*>(nullptr), found->size};
    sum += found->size;
  }
  out.block_.reset(static_cast<std::byte*>(lockfast_malloc_isolated(sum)));
  if (out.block_ == nullptr) return std::unexpected(memory_error::refused);
  std::byte* next = out.block_.get();
  for (std::size_t at = 0; at < which.size(); ++at) {
    const std::span<std::byte> room(next, out.each_[at].size());
    if (const auto opened = with.open(locate(which[at]), room); !opened) return std::unexpected(opened.error());
    out.each_[at] = room;
    next += room.size();
  }
  if (lockfast_protect(out.block_.get(), LOCKFAST_READONLY) != 0) return std::unexpected(memory_error::refused);
  out.count_ = which.size();
  return {};
}

}  // namespace lockfast::internal
