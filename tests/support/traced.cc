// traced.cc - splitmix64 (Steele, Lea, Flood, 2014) for the bytes, /proc/self/pagemap and /proc/self/mem for the search.
#include "support/traced.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdio>
#include <cstring>
#include <fstream>
#include <vector>

#include "support/page_state.h"
#include "support/sanitized.h"

namespace {

constexpr std::size_t needle_size = 16;
constexpr std::size_t most_needles = 4;
constexpr std::size_t window_size = std::size_t{1} << 20;
const std::uintptr_t page = static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));

// Pages that the search leaves out.
std::span<std::byte> window() {
  static void* const mapped = mmap(nullptr, window_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(mapped != MAP_FAILED);
  return {static_cast<std::byte*>(mapped), window_size};
}

struct page_run {
  std::uintptr_t from;
  std::uintptr_t to;
};

// The pages of this process that have contents and are no program text, as runs of neighbours. Those that the kernel moves to
// another frame just now are told as swapped (pagemap, bit 62), and are searched like those in RAM (bit 63).
std::vector<page_run> present_runs() {
  constexpr std::uint64_t present = std::uint64_t{3} << 62;
  const int pages = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
  std::FILE* const maps = std::fopen("/proc/self/maps", "re");
  REQUIRE(pages >= 0);
  REQUIRE(maps != nullptr);
  std::vector<page_run> runs;
  std::vector<std::uint64_t> states(4096);
  char line[512];
  page_run map = {};
  while (std::fgets(line, sizeof line, maps) != nullptr) {
    if (std::sscanf(line, "%" SCNxPTR "-%" SCNxPTR, &map.from, &map.to) != 2) continue;
    if (std::strstr(line, "[v") != nullptr || std::strstr(line, " r-xp ") != nullptr) continue;
    for (std::uintptr_t at = map.from; at < map.to;) {
      const std::size_t count = std::min<std::size_t>(states.size(), (map.to - at) / page);
      const ssize_t length =
          pread(pages, states.data(), count * sizeof states[0], static_cast<off_t>(at / page * sizeof states[0]));
      REQUIRE(length == static_cast<ssize_t>(count * sizeof states[0]));
      for (std::size_t each = 0; each < count; ++each, at += page) {
        if ((states[each] & present) == 0) continue;
        if (!runs.empty() && runs.back().to == at) {
          runs.back().to += page;
        } else {
          runs.push_back({at, at + page});
        }
      }
    }
  }
  std::fclose(maps);
  close(pages);
  return runs;
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
  // Of a large secret a few parts are searched for.
  const std::size_t step = std::max(needle_size, size_ / most_needles / needle_size * needle_size);
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
  const auto into = window();
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  REQUIRE(memory >= 0);
  std::size_t found = 0;
  for (page_run run : present_runs()) {
    if (run.from >= reinterpret_cast<std::uintptr_t>(into.data()) &&
        run.from < reinterpret_cast<std::uintptr_t>(into.data()) + window_size) {
      continue;
    }
    // Each window begins with the end of the one before; a page that the system does not show is left out.
    while (run.from < run.to && run.to - run.from >= needle_size) {
      const ssize_t length =
          pread(memory, into.data(), std::min<std::size_t>(window_size, run.to - run.from), static_cast<off_t>(run.from));
      const std::size_t size = length < 0 ? 0 : static_cast<std::size_t>(length);
      found += copies_in(into.first(size));
      const bool shown = run.from + size == run.to || size == window_size;
      run.from = shown ? run.from + size - (needle_size - 1) : (run.from + size) / page * page + page;
    }
  }
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

bool is_hidden(const std::byte* secret) {
  lockfast_receipt receipt = {};
  REQUIRE(lockfast_describe(secret, &receipt) == 0);
  return receipt.backing == LOCKFAST_HIDDEN;
}

bool memory_can_be_searched() {
  const int memory = sanitized || !advice_is_followed() ? -1 : open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  if (memory < 0) {
    MESSAGE("memory cannot be searched here: not tried");
    return false;
  }
  close(memory);
  return true;
}
