// small_buffer.h - room for sealed bytes on their way: within itself for small records, in the ordinary heap for others.
//
// It is wiped when it goes: what is sealed can be opened while its key is there, and an erased record is to be gone from everywhere.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_MEMORY_SMALL_BUFFER_H
#define LOCKFAST_BOOJUM_MEMORY_SMALL_BUFFER_H

#include <lockfast/lockfast.h>

#include <array>
#include <cstddef>
#include <memory>
#include <new>
#include <span>

namespace lockfast::internal {

class small_buffer {
 public:
  explicit small_buffer(std::size_t size)
      : large_(size > small_.size() ? new(std::nothrow) std::byte[size] : nullptr), size_(size) {}
  ~small_buffer() {
    if (!refused()) lockfast_wipe(bytes().data(), size_);
  }
  small_buffer(const small_buffer&) = delete;
  small_buffer& operator=(const small_buffer&) = delete;

  [[nodiscard]] bool refused() const { return size_ > small_.size() && large_ == nullptr; }
  [[nodiscard]] std::span<std::byte> bytes() { return {large_ != nullptr ? large_.get() : small_.data(), size_}; }

 private:
  std::array<std::byte, 512> small_;
  std::unique_ptr<std::byte[]> large_;
  std::size_t size_;
};

}  // namespace lockfast::internal

#endif
