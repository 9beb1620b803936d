// vault_open.cc - records opened, one by one and together.
#include <lockfast/lockfast.h>

#include <algorithm>
#include <array>
#include <memory>
#include <new>
#include <numeric>
#include <utility>

#include "boojum/vault/vault_state.h"

namespace lockfast::internal {
namespace {

std::expected<std::shared_ptr<detail::cell>, memory_error> block_of(std::size_t size) {
  auto made = detail::cell::make(size);
  if (!made) return std::unexpected(made.error());
  try {
    return std::shared_ptr<detail::cell>(std::move(*made));
  } catch (const std::bad_alloc&) {
    return std::unexpected(memory_error::denied);
  }
}

// A record on its way out of its shard: its sealed bytes become plain ones where it is to be.
using arrival = vault_state::passing_record;

// Several of them, and their order by shards: each shard's mutex is taken once for all that it has, so that readers seldom
// meet, and do not pass its cache line to and fro for each record.
class arrivals {
 public:
  explicit arrivals(std::span<const vault::id> which)
      : all_(new(std::nothrow) arrival[which.size()]),
        by_shard_(new(std::nothrow) std::size_t[which.size()]),
        count_(which.size()) {
    if (refused()) return;
    for (std::size_t at = 0; at < count_; ++at) {
      all_[at].where = vault_state::locate(which[at]);
      ++ends_[all_[at].where.shard];
    }
    std::partial_sum(ends_.begin(), ends_.end(), ends_.begin());
    auto place = ends_;
    for (std::size_t at = count_; at-- > 0;) by_shard_[--place[all_[at].where.shard]] = at;
  }

  [[nodiscard]] bool refused() const { return all_ == nullptr || by_shard_ == nullptr; }
  [[nodiscard]] std::span<arrival> in_order() const { return {all_.get(), count_}; }

  // Calls look(locked_reader, arrival) for each until it gives false; whether it never did.
  template <class Shards, class Look>
  [[nodiscard]] bool for_each_by_shard(const Shards& shards, Look&& look) const {
    std::size_t at = 0;
    for (std::size_t shard = 0; shard < vault_state::shard_count; ++shard) {
      if (at == ends_[shard]) continue;
      const sealed_shard::locked_reader in(shards[shard]);
      for (; at < ends_[shard]; ++at) {
        if (!look(in, all_[by_shard_[at]])) return false;
      }
    }
    return true;
  }

 private:
  std::unique_ptr<arrival[]> all_;
  std::unique_ptr<std::size_t[]> by_shard_;
  std::array<std::size_t, vault_state::shard_count> ends_ = {};
  std::size_t count_;
};

}  // namespace

std::expected<vault::view, memory_error> vault_state::open(vault::id which) {
  rekey_when_due();
  const location where = locate(which);
  for (;;) {
    const auto found = shards_[where.shard].find(where.at);
    if (!found) return std::unexpected(memory_error::not_found);
    if (auto hot = hot_.find(which.value(), found->version)) {
      if (auto held = vault::view::hold::try_acquire(hot.get())) return vault::view(std::move(hot), std::move(*held));
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
  arrivals all(which);
  if (out.each_ == nullptr || all.refused()) return std::unexpected(memory_error::denied);

  std::size_t sum = 0;
  if (!all.for_each_by_shard(shards_, [&](const sealed_shard::locked_reader& in, arrival& each) {
        const auto found = in.find(each.where.at);
        if (!found) return false;
        sum += each.state.size = found->size;
        return true;
      })) {
    return std::unexpected(memory_error::not_found);
  }
  out.block_.reset(static_cast<std::byte*>(lockfast_malloc_isolated(sum)));
  if (out.block_ == nullptr) return std::unexpected(memory_error::denied);
  std::byte* next = out.block_.get();
  for (arrival& each : all.in_order()) {
    each.from = {next, each.state.size};
    each.to = next;
    next += each.state.size;
  }

  if (!all.for_each_by_shard(shards_, [&](const sealed_shard::locked_reader& in, arrival& each) {
        const auto found = in.read(each.where.at, each.head, {each.to, each.from.size()});
        if (found) each.state = *found;
        return found.has_value();
      })) {
    return std::unexpected(memory_error::not_found);
  }
  const bool resized =
      std::ranges::any_of(all.in_order(), [](const arrival& each) { return each.state.size != each.from.size(); });
  if (resized) return std::unexpected(memory_error::busy);
  for (std::size_t at = 0; at < which.size(); at += vault_state::batch_size) {
    const std::size_t count = std::min(vault_state::batch_size, which.size() - at);
    if (auto opened = with.open_read(all.in_order().subspan(at, count)); !opened) return opened;
  }
  for (std::size_t at = 0; at < which.size(); ++at) out.each_[at] = all.in_order()[at].from;
  if (lockfast_protect(out.block_.get(), LOCKFAST_READONLY) != 0) return std::unexpected(memory_error::denied);
  out.count_ = which.size();
  return {};
}

}  // namespace lockfast::internal
