// file_share.cc - the two areas of a share's file.
#include "boojum/file_share.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>
#include <utility>

namespace lockfast::internal {

file_share::file_share(std::shared_ptr<share_directory> directory, std::unique_ptr<resting_file> file, unsigned index,
                       std::size_t size)
    : directory_(std::move(directory)), file_(std::move(file)) {
  header_.index = index;
  header_.size = size;
}

std::expected<std::unique_ptr<share>, memory_error> file_share::make(const std::shared_ptr<share_directory>& directory,
                                                                     unsigned index, std::span<const std::byte> bytes) {
  auto file = resting_file::create(directory, 2 * (sizeof(header) + bytes.size()));
  if (!file) return std::unexpected(file.error());
  std::unique_ptr<file_share> made(new (std::nothrow) file_share(directory, std::move(*file), index, bytes.size()));
  if (made == nullptr) return std::unexpected(memory_error::refused);
  if (auto done = made->write(*made->file_, 0, made->header_, bytes); !done) return std::unexpected(done.error());
  made->file_->forget();
  return made;
}

result file_share::write(resting_file& to, unsigned area, const header& of, std::span<const std::byte> bytes) const {
  const std::uint64_t start = area * area_size();
  if (auto done = to.write(start, std::as_bytes(std::span(&of, 1))); !done) return done;
  return to.write(start + sizeof of, bytes);
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

  header found;
  if (auto done = file_->read(area_ * area_size(), std::as_writable_bytes(std::span(&found, 1))); !done) {
    return std::unexpected(done.error());
  }
  if (std::memcmp(&found, &header_, sizeof found) != 0) return std::unexpected(memory_error::damaged);

  // The idle area goes through the same room, in front of the share.
  const std::uint64_t idle = (1 - area_) * area_size();
  for (std::uint64_t at = 0; at < area_size(); at += room.size()) {
    const auto piece = room.first(static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), area_size() - at)));
    if (auto done = file_->read(idle + at, piece); !done) return std::unexpected(done.error());
    if (std::ranges::any_of(piece, [](std::byte byte) { return byte != std::byte{0}; })) {
      return std::unexpected(memory_error::damaged);
    }
  }
  if (auto done = file_->read(area_ * area_size() + sizeof found, room); !done) return std::unexpected(done.error());
  file_->forget();
  return room;
}

result file_share::prepare(std::span<const std::byte> next, address where) {
  header changed = header_;
  ++changed.generation;
  if (where == address::change) {
    auto file = resting_file::create(directory_, 2 * area_size());
    if (!file) return std::unexpected(file.error());
    next_ = std::move(*file);
    auto done = write(*next_, 0, changed, next);
    if (!done) next_ = nullptr;
    return done;
  }
  idle_area_is_zero_ = false;
  auto done = write(*file_, 1 - area_, changed, next);
  if (!done) abandon();
  return done;
}

// What cannot be overwritten now is tried again before the share is next read.
void file_share::abandon() {
  next_ = nullptr;
  (void)clean_idle_area();
}

void file_share::commit(std::span<const std::byte>) {
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
  file_->forget();
  return done;
}

result file_share::wipe() {
  const std::unique_ptr<resting_file> gone = std::move(file_);
  return gone == nullptr ? result() : gone->wipe();
}

}  // namespace lockfast::internal
