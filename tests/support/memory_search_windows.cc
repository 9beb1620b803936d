// memory_search_windows.cc - VirtualQuery tells what is there; pages without access are opened for the length of a copy.
#include <windows.h>

#include <algorithm>
#include <cstdint>

#include <lockfast/lockfast.h>

#include "support/memory_search.h"
#include "support/reach.h"

namespace {

// What the last copy left in the vector registers is no memory; but Wine saves them at each call, in the process's own memory, as
// Windows does in the kernel's.
void empty_registers() {
  __asm__ volatile(
      "pxor %%xmm0, %%xmm0; pxor %%xmm1, %%xmm1; pxor %%xmm2, %%xmm2; pxor %%xmm3, %%xmm3;"
      "pxor %%xmm4, %%xmm4; pxor %%xmm5, %%xmm5; pxor %%xmm6, %%xmm6; pxor %%xmm7, %%xmm7;"
      "pxor %%xmm8, %%xmm8; pxor %%xmm9, %%xmm9; pxor %%xmm10, %%xmm10; pxor %%xmm11, %%xmm11;"
      "pxor %%xmm12, %%xmm12; pxor %%xmm13, %%xmm13; pxor %%xmm14, %%xmm14; pxor %%xmm15, %%xmm15"
      :
      :
      : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13",
        "xmm14", "xmm15");
}

}  // namespace

bool memory_can_be_searched() { return true; }

std::size_t sum_over_memory(std::size_t overlap, const std::function<std::size_t(std::span<const std::byte>)>& look) {
  constexpr std::size_t window_size = std::size_t{1} << 20;
  static auto* const window =
      static_cast<std::byte*>(VirtualAlloc(nullptr, window_size, MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE));
  constexpr DWORD program_text = PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY;
  empty_registers();
  std::size_t sum = 0;
  MEMORY_BASIC_INFORMATION found = {};
  for (const std::byte* at = nullptr; VirtualQuery(at, &found, sizeof found) != 0;) {
    const auto* const from = static_cast<const std::byte*>(found.BaseAddress);
    at = from + found.RegionSize;
    const bool searched = found.State == MEM_COMMIT && (found.Protect & (program_text | PAGE_GUARD)) == 0 && from != window;
    std::size_t done = 0;
    while (searched && found.RegionSize - done >= overlap) {
      const std::size_t size = std::min<std::size_t>(window_size, found.RegionSize - done);
      if (!peek(from + done, size, reinterpret_cast<char*>(window))) break;
      sum += look(std::span(window, size));
      done += size - (overlap - 1);
      if (size < window_size) break;
    }
  }
  lockfast_wipe(window, window_size);
  return sum;
}
