// coverage.cc - the shared counters.
#include "fuzz/coverage.h"

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstring>

extern "C" {
// Set by the linker to the bounds of clang's own counters; null without them.
extern std::uint8_t __start___sancov_cntrs[] __attribute__((weak, visibility("hidden")));
extern std::uint8_t __stop___sancov_cntrs[] __attribute__((weak, visibility("hidden")));
}

namespace lockfast::fuzz {

namespace {

constexpr std::size_t largest_page_size = 65536;
alignas(largest_page_size) [[gnu::section("__libfuzzer_extra_counters"), gnu::used]] std::uint8_t shared[largest_page_size];

std::uint8_t* own() { return __start___sancov_cntrs; }
std::size_t own_size() { return own() == nullptr ? 0 : static_cast<std::size_t>(__stop___sancov_cntrs - own()); }

}  // namespace

void share_coverage() {
  if (own_size() != 0) mmap(shared, sizeof shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

void restart_coverage() {
  if (own_size() != 0) std::memset(own(), 0, own_size());
}

void publish_coverage() {
  for (std::size_t i = 0; i < own_size(); ++i) {
    std::uint8_t& sum = shared[i % sizeof shared];
    if (sum < own()[i]) sum = own()[i];
  }
}

}  // namespace lockfast::fuzz
