// size_class.h - the sizes that slots come in.
//
// Multiples of 16 bytes up to 128, then four to each doubling, so that at most a fifth of a larger slot is not asked for.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SIZE_CLASS_H
#define LOCKFAST_ALLOCATOR_GROUPED_SIZE_CLASS_H

#include <bit>
#include <cstddef>

namespace lockfast::internal {

class size_class {
 public:
  // The largest secret, in bytes, that is grouped.
  static constexpr std::size_t max_capacity = std::size_t{16} * 1024;

  // The class of the smallest capacity that holds size bytes. Requires at most max_capacity.
  [[nodiscard]] static constexpr std::size_t of(std::size_t size) {
    if (size <= fine_most) return (size + (size == 0) - 1) / fine_step;
    const std::size_t last = size - 1;
    const auto doubling = static_cast<std::size_t>(std::bit_width(last)) - 1;
    return fine_count + (doubling - fine_most_bits) * 4 + ((last >> (doubling - 2)) & 3);
  }

  // Bytes that a slot of the class can hold.
  [[nodiscard]] static constexpr std::size_t capacity(std::size_t index) {
    if (index < fine_count) return (index + 1) * fine_step;
    const std::size_t coarse = index - fine_count;
    return (5 + coarse % 4) << (fine_most_bits - 2 + coarse / 4);
  }

 private:
  static constexpr std::size_t fine_step = 16;
  static constexpr std::size_t fine_most_bits = 7;
  static constexpr std::size_t fine_most = std::size_t{1} << fine_most_bits;
  static constexpr std::size_t fine_count = fine_most / fine_step;

 public:
  static constexpr std::size_t count = fine_count + (std::bit_width(max_capacity) - 1 - fine_most_bits) * 4;
};

static_assert(size_class::capacity(size_class::count - 1) == size_class::max_capacity);
static_assert(size_class::of(size_class::max_capacity) == size_class::count - 1);

}  // namespace lockfast::internal

#endif
