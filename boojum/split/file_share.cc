// file_share.cc - the two areas of a share's file.
#include "boojum/split/file_share.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

#include "boojum/memory/scratch.h"

namespace lockfast::internal {

file_share::file_share(std::shared_ptr<resting_file> file, unsigned index, std::size_t size) : file_(std::move(file)) {
  header_.index = index;
  header_.size = size;
}

// The files end now, not when the refresher has let go of them.
file_share::~file_share() {
  if (next_ != nullptr) (void)next_->wipe();
  (void)wipe();
}

std::expected<std::unique_ptr<share>, memory_error> file_share::make(const std::shared_ptr<share_directory>& directory,
                                                                     unsigned index, const share_content& content) {
  auto file = resting_file::create(directory, room_for(content.size()));
  if (!file) return std::unexpected(file.error());
  const scratch room(sizeof(header) + content.size());
  if (room.refused()) return std::unexpected(memory_error::denied);
  std::unique_ptr<file_share> made(new (std::nothrow) file_share(std::move(*file), index, content.size()));
  if (made == nullptr) return std::unexpected(memory_error::denied);
  if (auto done = made->write(*made->file_, 0, made->header_, content, room.bytes()); !done)
    return std::unexpected(done.error());
  made->file_->rest();
  return made;
}

result file_share::write(resting_file& to, unsigned area, const header& of, const share_content& content,
                         std::span<std::byte> room) const {
  std::memcpy(room.data(), &of, sizeof of);
  if (!content.put(room.subspan(sizeof of))) return std::unexpected(memory_error::denied);
  return to.write(area * area_size(), room);
}

result file_share::clean_idle_area() {
  if (idle_area_is_zero_) return {};
  auto done = file_->wipe((1 - area_) * area_size(), area_size());
  idle_area_is_zero_ = done.has_value();
  return done;
}

std::expected<std::span<const std::byte>, memory_error> file_share::open(purpose, std::span<std::byte> room) {
  if (file_ == nullptr) return std::unexpected(memory_error::wiped);
  if (auto done = clean_idle_area(); !done) return std::unexpected(done.error());

  if (auto done = file_->read(0, room); !done) return std::unexpected(done.error());
  const auto area = room.subspan(area_ * area_size(), area_size());
  const auto idle = room.subspan((1 - area_) * area_size(), area_size());
  const bool whole = std::memcmp(area.data(), &header_, sizeof header_) == 0 &&
                     std::ranges::all_of(idle, [](std::byte byte) { return byte == std::byte{0}; });
  if (!whole) {
    file_->rest();
    return std::unexpected(memory_error::damaged);
  }
  room_ = room;
  return area.subspan(sizeof header_);
}

void file_share::close() {
  room_ = {};
  file_->rest();
}

result file_share::prepare(const share_content& next, refresh_target where, std::shared_ptr<resting_file>& file) {
  header changed = header_;
  ++changed.generation;
  if (where == refresh_target::change) {
    next_ = std::move(file);
    auto done = write(*next_, 0, changed, next, room_.first(area_size()));
    if (!done) give_up_next();
    return done;
  }
  idle_area_is_zero_ = false;
  auto done = write(*file_, 1 - area_, changed, next, room_.first(area_size()));
  if (!done) give_up_next();
  return done;
}

// What cannot be overwritten now is tried again before the share is next read.
void file_share::give_up_next() {
  if (const auto gone = std::move(next_); gone != nullptr) (void)gone->wipe();
  (void)clean_idle_area();
}

void file_share::abandon(const share_content&) { give_up_next(); }

void file_share::commit(const share_content&) {
  ++header_.generation;
  if (next_ != nullptr) {
    std::swap(file_, next_);
    area_ = 0;
    idle_area_is_zero_ = true;
  } else {
    area_ = 1 - area_;
  }
}

result file_share::settle() {
  result done = next_ != nullptr ? next_->wipe() : clean_idle_area();
  next_ = nullptr;
  return done;
}

result file_share::wipe() {
  const std::shared_ptr<resting_file> gone = std::move(file_);
  return gone == nullptr ? result() : gone->wipe();
}

}  // namespace lockfast::internal
