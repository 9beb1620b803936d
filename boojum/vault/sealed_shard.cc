// sealed_shard.cc - slots, blocks, and the sliding of blocks over free ones.
#include "boojum/vault/sealed_shard.h"

#include <algorithm>
#include <cstring>

namespace lockfast::internal {
namespace {

constexpr std::uint32_t last_generation = 0xffff'ffff;

}  // namespace

sealed_shard::entry* sealed_shard::live(tenancy which) const {
  if (which.slot >= slot_count_) return nullptr;
  entry& found = at(which.slot);
  return found.generation == which.generation && found.size != 0 ? &found : nullptr;
}

sealed_shard::entry* sealed_shard::reserved(tenancy which) const {
  if (which.slot >= slot_count_) return nullptr;
  entry& found = at(which.slot);
  return found.generation == which.generation && found.size == 0 && found.position == reserved_slot ? &found : nullptr;
}

std::expected<std::uint32_t, memory_error> sealed_shard::append_slot(std::uint32_t generation) {
  if (slot_count_ == max_slots) return std::unexpected(memory_error::limit_exceeded);
  if (!index_.resize((std::uint64_t{slot_count_} + 1) * sizeof(entry))) return std::unexpected(memory_error::denied);
  at(slot_count_) = {.position = reserved_slot, .size = 0, .epoch = 0, .generation = generation, .version = 0};
  return slot_count_++;
}

std::expected<tenancy, memory_error> sealed_shard::reserve() {
  const std::scoped_lock held(mutex_);
  if (first_free_ == no_slot) {
    if (floor_ == last_generation) return std::unexpected(memory_error::limit_exceeded);
    const auto slot = append_slot(floor_ + 1);
    if (!slot) return std::unexpected(slot.error());
    return tenancy{*slot, floor_ + 1};
  }
  const std::uint32_t slot = first_free_;
  entry& taken = at(slot);
  first_free_ = taken.position;
  taken.position = reserved_slot;
  ++taken.generation;
  return tenancy{slot, taken.generation};
}

bool sealed_shard::abandon(tenancy which) {
  const std::scoped_lock held(mutex_);
  if (reserved(which) == nullptr) return false;
  give_slot_back(which.slot);
  return true;
}

bool sealed_shard::is_reserved(tenancy which) const {
  const std::scoped_lock held(mutex_);
  return reserved(which) != nullptr;
}

// A slot whose generations are used up rests for good.
void sealed_shard::give_slot_back(std::uint32_t slot) {
  entry& freed = at(slot);
  freed.size = 0;
  freed.version = 0;
  freed.position = no_slot;
  if (freed.generation == last_generation) return;
  freed.position = first_free_;
  first_free_ = slot;
}

std::uint32_t sealed_shard::word_at(std::uint64_t offset) const {
  std::uint32_t word = 0;
  log_.read(offset, std::as_writable_bytes(std::span(&word, 1)));
  return word;
}

void sealed_shard::put_word(std::uint64_t offset, std::uint32_t word) {
  log_.write(offset, std::as_bytes(std::span(&word, 1)));
}

void sealed_shard::write_block(std::uint64_t offset, std::uint32_t slot, const seal_head& head,
                               std::span<const std::byte> sealed) {
  put_word(offset, slot);
  log_.write(offset + sizeof slot, std::as_bytes(std::span(&head, 1)));
  log_.write(offset + head_size, sealed);
}

std::expected<std::uint32_t, memory_error> sealed_shard::append_block(std::uint32_t slot, const seal_head& head,
                                                                      std::span<const std::byte> sealed) {
  const std::uint64_t offset = log_.size();
  const std::uint64_t size = block_size(static_cast<std::uint32_t>(sealed.size()));
  if ((offset + size) / granule > no_slot) return std::unexpected(memory_error::limit_exceeded);
  if (!log_.resize(offset + size)) return std::unexpected(memory_error::denied);
  write_block(offset, slot, head, sealed);
  return static_cast<std::uint32_t>(offset / granule);
}

std::expected<void, memory_error> sealed_shard::publish(tenancy which, std::uint32_t epoch, const seal_head& head,
                                                        std::span<const std::byte> sealed) {
  const std::scoped_lock held(mutex_);
  if (reserved(which) == nullptr) return std::unexpected(memory_error::not_found);
  const auto position = append_block(which.slot, head, sealed);
  if (!position) return std::unexpected(position.error());
  entry& published = at(which.slot);
  published.position = *position;
  published.epoch = epoch & 1;
  published.version = 0;
  published.size = static_cast<std::uint32_t>(sealed.size()) & max_size;
  live_count_.fetch_add(1, std::memory_order_relaxed);
  return {};
}

std::optional<record_state> sealed_shard::find(tenancy which) const { return locked_reader(*this).find(which); }

std::optional<record_state> sealed_shard::read(tenancy which, seal_head& head, std::span<std::byte> sealed) const {
  return locked_reader(*this).read(which, head, sealed);
}

std::optional<record_state> sealed_shard::locked_reader::find(tenancy which) const {
  const entry* const found = at_.live(which);
  if (found == nullptr) return std::nullopt;
  return record_state{found->size, found->version, found->epoch};
}

std::optional<record_state> sealed_shard::locked_reader::read(tenancy which, seal_head& head,
                                                              std::span<std::byte> sealed) const {
  const entry* const found = at_.live(which);
  if (found == nullptr) return std::nullopt;
  const std::uint64_t offset = found->position * granule;
  at_.log_.read(offset + sizeof(std::uint32_t), std::as_writable_bytes(std::span(&head, 1)));
  at_.log_.read(offset + head_size, sealed.first(std::min<std::size_t>(sealed.size(), found->size)));
  return record_state{found->size, found->version, found->epoch};
}

std::expected<void, memory_error> sealed_shard::replace(tenancy which, record_state next, const seal_head& head,
                                                        std::span<const std::byte> sealed) {
  const std::scoped_lock held(mutex_);
  entry* const found = live(which);
  if (found == nullptr) return std::unexpected(memory_error::not_found);
  if (found->version + 1 != next.version) return std::unexpected(memory_error::busy);
  if (next.version == 0 && next.epoch == found->epoch) return std::unexpected(memory_error::limit_exceeded);
  const std::uint64_t offset = found->position * granule;
  const std::uint64_t size = block_size(found->size);
  if (size == block_size(next.size)) {
    write_block(offset, which.slot, head, sealed);
  } else {
    const auto position = append_block(which.slot, head, sealed);
    if (!position) return std::unexpected(position.error());
    free_block_at(offset, size);
    found->position = *position;
  }
  found->size = next.size & max_size;
  found->version = next.version;
  found->epoch = next.epoch & 1;
  if (garbage_ > std::max(min_garbage, log_.size() / garbage_share)) close_up();
  return {};
}

void sealed_shard::free_block_at(std::uint64_t offset, std::uint64_t size) {
  log_.wipe(offset, size);
  put_word(offset, free_block);
  put_word(offset + sizeof free_block, static_cast<std::uint32_t>(size / granule));
  garbage_ += size;
}

bool sealed_shard::erase(tenancy which) {
  const std::scoped_lock held(mutex_);
  const entry* const found = live(which);
  if (found == nullptr) return false;
  free_block_at(found->position * granule, block_size(found->size));
  give_slot_back(which.slot);
  live_count_.fetch_sub(1, std::memory_order_relaxed);
  if (garbage_ > std::max(min_garbage, log_.size() / garbage_share)) close_up();
  return true;
}

void sealed_shard::close_up() {
  std::uint64_t to = 0;
  for (std::uint64_t from = 0; from < log_.size();) {
    const std::uint32_t owner = word_at(from);
    if (owner == free_block) {
      from += word_at(from + sizeof owner) * granule;
      continue;
    }
    entry& moved = at(owner);
    const std::uint64_t size = block_size(moved.size);
    if (from != to) log_.move_down(from, to, size);
    moved.position = static_cast<std::uint32_t>(to / granule);
    from += size;
    to += size;
  }
  (void)log_.resize(to);
  garbage_ = 0;
}

void sealed_shard::clear() {
  const std::scoped_lock held(mutex_);
  for (std::uint32_t slot = 0; slot < slot_count_; ++slot) {
    if (at(slot).size != 0 || at(slot).position == reserved_slot) give_slot_back(slot);
  }
  (void)log_.resize(0);
  garbage_ = 0;
  live_count_.store(0, std::memory_order_relaxed);
  drop_free_slots();
}

void sealed_shard::trim() {
  const std::scoped_lock held(mutex_);
  drop_free_slots();
}

// A slot that rests stays: with its generation as the floor no slot could be appended.
void sealed_shard::drop_free_slots() {
  const std::uint32_t before = slot_count_;
  const auto is_free = [&](std::uint32_t slot) { return at(slot).size == 0 && at(slot).position != reserved_slot; };
  while (slot_count_ != 0 && is_free(slot_count_ - 1) && at(slot_count_ - 1).generation != last_generation) {
    floor_ = std::max(floor_, at(--slot_count_).generation);
  }
  if (slot_count_ == before) return;
  (void)index_.resize(std::uint64_t{slot_count_} * sizeof(entry));
  first_free_ = no_slot;
  for (std::uint32_t slot = slot_count_; slot-- > 0;) {
    if (is_free(slot)) give_slot_back(slot);
  }
}

std::uint32_t sealed_shard::floor() const {
  const std::scoped_lock held(mutex_);
  return floor_;
}

void sealed_shard::set_floor(std::uint32_t generation) {
  const std::scoped_lock held(mutex_);
  floor_ = generation;
}

std::uint32_t sealed_shard::slot_count() const {
  const std::scoped_lock held(mutex_);
  return slot_count_;
}

std::optional<live_record> sealed_shard::next_live(std::uint32_t slot) const {
  const std::scoped_lock held(mutex_);
  for (; slot < slot_count_; ++slot) {
    const entry& found = at(slot);
    if (found.size != 0) return live_record{{slot, found.generation}, {found.size, found.version, found.epoch}};
  }
  return std::nullopt;
}

std::uint32_t sealed_shard::generation_of(std::uint32_t slot) const {
  const std::scoped_lock held(mutex_);
  return slot < slot_count_ ? at(slot).generation : 0;
}

std::expected<void, memory_error> sealed_shard::append_free(std::uint32_t generation) {
  const std::scoped_lock held(mutex_);
  const auto slot = append_slot(generation);
  if (!slot) return std::unexpected(slot.error());
  give_slot_back(*slot);
  return {};
}

std::expected<tenancy, memory_error> sealed_shard::append_reserved(std::uint32_t generation) {
  const std::scoped_lock held(mutex_);
  const auto slot = append_slot(generation);
  if (!slot) return std::unexpected(slot.error());
  return tenancy{*slot, generation};
}

std::uint64_t sealed_shard::footprint() const {
  const std::scoped_lock held(mutex_);
  return index_.size() + log_.size();
}

}  // namespace lockfast::internal
