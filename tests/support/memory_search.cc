// memory_search.cc - /proc/self/pagemap tells what is present, /proc/self/mem what is there.
#include "support/memory_search.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <lockfast/lockfast.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cinttypes>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <vector>

#include "support/page_state.h"
#include "support/sanitized.h"

namespace {

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

std::size_t sum_over_memory(std::size_t overlap, const std::function<std::size_t(std::span<const std::byte>)>& look) {
  const auto into = window();
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  REQUIRE(memory >= 0);
  std::size_t sum = 0;
  for (page_run run : present_runs()) {
    if (run.from >= reinterpret_cast<std::uintptr_t>(into.data()) &&
        run.from < reinterpret_cast<std::uintptr_t>(into.data()) + window_size) {
      continue;
    }
    // A page that the system does not show is left out.
    while (run.from < run.to && run.to - run.from >= overlap) {
      const ssize_t length =
          pread(memory, into.data(), std::min<std::size_t>(window_size, run.to - run.from), static_cast<off_t>(run.from));
      const std::size_t size = length < 0 ? 0 : static_cast<std::size_t>(length);
      sum += look(into.first(size));
      const bool shown = run.from + size == run.to || size == window_size;
      run.from = shown ? run.from + size - (overlap - 1) : (run.from + size) / page * page + page;
    }
  }
  close(memory);
  lockfast_wipe(into.data(), into.size());
  return sum;
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
