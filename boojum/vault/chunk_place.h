// chunk_place.h - where the bytes of a saved vault are: a file, or memory. They are sealed, so ordinary memory will do.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_VAULT_CHUNK_PLACE_H
#define LOCKFAST_BOOJUM_VAULT_CHUNK_PLACE_H

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <vector>

#include "platform/files.h"

namespace lockfast::internal {

class chunk_place {
 public:
  // NOLINTNEXTLINE(google-explicit-constructor): a file is a place as it is.
  chunk_place(platform::file file) : file_(file) {}
  // Bytes to be written one after the other; they outlive this.
  explicit chunk_place(std::vector<std::byte>& written) : written_(&written) {}
  explicit chunk_place(std::span<const std::byte> given) : given_(given) {}

  [[nodiscard]] platform::error write_at(std::uint64_t offset, std::span<const std::byte> bytes) const {
    if (written_ == nullptr) return platform::write_at(file_, offset, bytes);
    try {
      written_->resize(static_cast<std::size_t>(offset));
      written_->insert(written_->end(), bytes.begin(), bytes.end());
    } catch (const std::bad_alloc&) {
      return ENOMEM;
    }
    return 0;
  }

  [[nodiscard]] platform::error read_at(std::uint64_t offset, std::span<std::byte> out) const {
    if (file_ != platform::file::none) return platform::read_at(file_, offset, out);
    if (offset > given_.size() || out.size() > given_.size() - offset) return EIO;
    std::ranges::copy(given_.subspan(static_cast<std::size_t>(offset), out.size()), out.begin());
    return 0;
  }

 private:
  platform::file file_ = platform::file::none;
  std::vector<std::byte>* written_ = nullptr;
  std::span<const std::byte> given_;
};

}  // namespace lockfast::internal

#endif
