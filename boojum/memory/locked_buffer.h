// locked_buffer.h - locked memory for one secret after the other, as much as the largest so far; wiped when it goes.
//
// Threads: one.
#ifndef LOCKFAST_BOOJUM_MEMORY_LOCKED_BUFFER_H
#define LOCKFAST_BOOJUM_MEMORY_LOCKED_BUFFER_H

#include <cstddef>
#include <optional>
#include <span>

#include "boojum/memory/scratch.h"

namespace lockfast::internal {

class locked_buffer {
 public:
  // Nothing where it is refused.
  [[nodiscard]] std::span<std::byte> of(std::size_t size) {
    if (!room_ || room_->bytes().size() < size) room_.emplace(size);
    return room_->refused() ? std::span<std::byte>() : room_->bytes().first(size);
  }

 private:
  std::optional<scratch> room_;
};

}  // namespace lockfast::internal

#endif
