// press.cc - uses ordinary memory until so much more of the machine's is in swap.
//
//    residue_press MIB
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <string>

namespace {

// KiB of a line of /proc/meminfo.
std::size_t machine_has(const std::string& what) {
  std::ifstream lines("/proc/meminfo");
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with(what + ":")) return std::strtoul(line.c_str() + what.size() + 1, nullptr, 10);
  }
  std::exit(2);
}

int press(std::size_t mib) {
  constexpr std::size_t step = std::size_t{4} << 20;
  const std::size_t size = (machine_has("MemTotal") << 10) + (mib << 20);
  const std::size_t enough = machine_has("SwapFree") - (mib << 10);
  void* const all = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (all == MAP_FAILED || madvise(all, size, MADV_NOHUGEPAGE) != 0) return 2;
  for (std::size_t at = 0; at < size; at += step) {
    for (std::size_t page = at; page < at + step; page += 4096)
      static_cast<volatile std::size_t*>(all)[page / sizeof(std::size_t)] = page;
    if (machine_has("SwapFree") < enough) return 0;
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) { return argc == 2 ? press(std::strtoul(argv[1], nullptr, 10)) : 2; }
