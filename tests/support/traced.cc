// traced.cc - splitmix64 (Steele, Lea, Flood, 2014) for the bytes.
#include "support/traced.h"

#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <vector>

#include "support/memory_search.h"

namespace {

constexpr std::size_t needle_size = 16;
constexpr std::size_t max_needles = 4;

}  // namespace

std::byte traced::operator[](std::size_t at) const {
  std::uint64_t mixed = seed_ * 1000003 + at * 0x9e3779b97f4a7c15;
  mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
  mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
  return static_cast<std::byte>(mixed >> 56);
}

lockfast::buffer<std::byte> traced::buffer() const {
  auto made = lockfast::buffer<std::byte>::filled(size_, [this](std::span<std::byte> bytes) {
    for (std::size_t at = 0; at < bytes.size(); ++at) bytes[at] = (*this)[at];
  });
  REQUIRE(made.has_value());
  return std::move(*made);
}

bool traced::equals(std::span<const std::byte> bytes) const {
  if (bytes.size() != size_) return false;
  for (std::size_t at = 0; at < size_; ++at) {
    if (bytes[at] != (*this)[at]) return false;
  }
  return true;
}

std::size_t traced::copies_in(std::span<const std::byte> bytes) const {
  std::size_t found = 0;
  // Of a large secret a few parts are searched for.
  const std::size_t step = std::max(needle_size, size_ / max_needles / needle_size * needle_size);
  for (std::size_t part = 0; part + needle_size <= size_; part += step) {
    const int first = std::to_integer<int>((*this)[part]);
    const std::byte* at = bytes.data();
    const std::byte* const end = bytes.data() + bytes.size();
    while (at + needle_size <= end) {
      at = static_cast<const std::byte*>(std::memchr(at, first, static_cast<std::size_t>(end - at)));
      if (at == nullptr || at + needle_size > end) break;
      std::size_t same = 1;
      while (same < needle_size && at[same] == (*this)[part + same]) ++same;
      if (same == needle_size) ++found;
      ++at;
    }
  }
  return found;
}

std::size_t traced::copies_in_memory() const {
  return sum_over_memory(needle_size, [this](std::span<const std::byte> bytes) { return copies_in(bytes); });
}

std::size_t traced::copies_in(const std::filesystem::path& file) const {
  std::ifstream stream(file, std::ios::binary);
  REQUIRE(stream.good());
  const std::vector<char> text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  return copies_in(std::as_bytes(std::span(text)));
}

bool is_hidden(const std::byte* secret) {
  lockfast_receipt receipt = {};
  REQUIRE(lockfast_describe(secret, &receipt) == 0);
  return receipt.backing == LOCKFAST_HIDDEN;
}
