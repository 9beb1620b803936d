// traced.cc - splitmix64 (Steele, Lea, Flood, 2014) for the bytes, /proc/self/mem for the search.
#include "vault/traced.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <vector>

namespace {

constexpr std::size_t needle_size = 16;
constexpr std::size_t window_size = std::size_t{1} << 20;

// Pages that the search leaves out.
std::span<std::byte> window() {
  static void* const mapped = mmap(nullptr, window_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  return {static_cast<std::byte*>(mapped), window_size};
}

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
  for (std::size_t part = 0; part + needle_size <= size_; part += needle_size) {
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
  const auto into = window();
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  REQUIRE(memory >= 0);
  std::size_t found = 0;
  std::FILE* const maps = std::fopen("/proc/self/maps", "re");
  REQUIRE(maps != nullptr);
  const auto window_at = reinterpret_cast<std::uintptr_t>(into.data());
  std::uintptr_t from = 0;
  std::uintptr_t to = 0;
  char line[512];
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &from, &to) != 2) continue;
    if (from >= window_at && from < window_at + window_size) continue;
    // A file's pages, and what is reserved and was never touched: no bytes of ours.
    if (std::strstr(line, "[v") != nullptr || std::strstr(line, " r-xp ") != nullptr) continue;
    if (to - from > (std::uintptr_t{1} << 38)) continue;
    // Each window begins with the end of the one before, and pages that cannot be read end it.
    while (from < to) {
      const std::size_t size = std::min<std::size_t>(window_size, to - from);
      const ssize_t length = pread(memory, into.data(), size, static_cast<off_t>(from));
      if (length <= 0) {
        from = (from / 4096 + 1) * 4096;
        continue;
      }
      const auto read = static_cast<std::size_t>(length);
      found += copies_in(into.first(read));
      from += read < size || read <= needle_size ? read : read - (to - from == read ? 0 : needle_size - 1);
    }
  }
  std::fclose(maps);
  close(memory);
  lockfast_wipe(into.data(), into.size());
  return found;
}

std::size_t traced::copies_in(const std::filesystem::path& file) const {
  std::ifstream stream(file, std::ios::binary);
  REQUIRE(stream.good());
  const std::vector<char> text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  return copies_in(std::as_bytes(std::span(text)));
}

bool memory_can_be_searched() {
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (memory < 0) return false;
  close(memory);
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
  return false;
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer) || __has_feature(address_sanitizer)
  return false;
#endif
#endif
  return true;
}
