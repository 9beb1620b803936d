// mark.h - bytes that are found nowhere but where they were written, for whoever searches memory, dumps and files for them.
//
// A mark is computed, never stored: the searcher has no copy of it that it could find in itself. Each holder of secrets draws a
// series of its own, so that what an earlier search left in a buffer is not taken for a leak of a later holder.
#ifndef TOOLS_ATTACKS_MARK_H
#define TOOLS_ATTACKS_MARK_H

#include <cstddef>
#include <span>

namespace lockfast::attacks {

inline constexpr std::size_t mark_size = 24;

struct mark {
  unsigned series;
  unsigned kind;

  [[nodiscard]] unsigned char byte(std::size_t at) const;
  void write(void* to) const;
  [[nodiscard]] bool stands_at(const void* place) const;
  [[nodiscard]] bool found_in(std::span<const unsigned char> bytes) const;
};

}  // namespace lockfast::attacks

#endif
