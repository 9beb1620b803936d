// mark.cc - marks, computed byte by byte.
#include "tools/attacks/mark.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

namespace lockfast::attacks {

unsigned char mark::byte(std::size_t at) const {
  std::uint64_t mixed = (static_cast<std::uint64_t>(series) << 32 | kind << 8 | at) * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ mixed >> 29) * 0xbf58476d1ce4e5b9;
  return static_cast<unsigned char>(mixed >> 56);
}

void mark::write(void* to) const {
  auto* const bytes = static_cast<volatile unsigned char*>(to);
  for (std::size_t at = 0; at < mark_size; ++at) bytes[at] = byte(at);
}

bool mark::stands_at(const void* place) const {
  const auto* const bytes = static_cast<const volatile unsigned char*>(place);
  for (std::size_t at = 0; at < mark_size; ++at) {
    if (bytes[at] != byte(at)) return false;
  }
  return true;
}

bool mark::found_in(std::span<const unsigned char> bytes) const {
  if (bytes.size() < mark_size) return false;
  const unsigned char* const last = bytes.data() + (bytes.size() - mark_size);
  for (const unsigned char* at = bytes.data(); at <= last; ++at) {
    const auto left = static_cast<std::size_t>(last - at) + 1;
    at = static_cast<const unsigned char*>(std::memchr(at, byte(0), left));
    if (at == nullptr) return false;
    if (stands_at(at)) return true;
  }
  return false;
}

}  // namespace lockfast::attacks
