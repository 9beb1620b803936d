// seed.cc - writes the seeds of both corpora, always the same: `fuzz_seed fuzz/corpus`.
//
// Seeds of operations are random bytes, of which the decoder makes every kind of operation. Seeds of corruption are a
// plan's fields in the order in which decode_plan reads them: each corruption with each call that may notice it.
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz/corruption_plan.h"

namespace {

using lockfast::fuzz::corruption_count;
using lockfast::fuzz::noticing_count;

constexpr int operation_seeds = 24;
constexpr std::size_t operation_seed_size = 900;
constexpr std::size_t blocks_size = 32;

// splitmix64 (Steele, Lea, Flood, 2014).
class numbers {
 public:
  explicit numbers(std::uint64_t state) : state_(state) {}

  std::uint8_t next() {
    std::uint64_t mixed = state_ += 0x9e3779b97f4a7c15;
    mixed = (mixed ^ (mixed >> 30)) * 0xbf58476d1ce4e5b9;
    mixed = (mixed ^ (mixed >> 27)) * 0x94d049bb133111eb;
    return static_cast<std::uint8_t>(mixed >> 56);
  }

 private:
  std::uint64_t state_;
};

bool write(const std::filesystem::path& file, const std::vector<std::uint8_t>& seed) {
  std::ofstream stream(file, std::ios::binary);
  for (const std::uint8_t byte : seed) stream.put(static_cast<char>(byte));
  return static_cast<bool>(stream.flush());
}

bool write_operations(const std::filesystem::path& folder) {
  bool written = true;
  for (int i = 0; i < operation_seeds; ++i) {
    numbers random(static_cast<std::uint64_t>(i));
    std::vector<std::uint8_t> seed(operation_seed_size);
    for (std::uint8_t& byte : seed) byte = random.next();
    written &= write(folder / ("seed-" + std::to_string(i)), seed);
  }
  return written;
}

bool write_corruption(const std::filesystem::path& folder) {
  bool written = true;
  for (std::size_t what = 0; what < corruption_count; ++what) {
    for (std::size_t by = 0; by < noticing_count; ++by) {
      numbers random(what * noticing_count + by);
      const auto freed = static_cast<std::uint8_t>((what + by) % 2);
      std::vector<std::uint8_t> seed{static_cast<std::uint8_t>(what), static_cast<std::uint8_t>(by), freed};
      while (seed.size() < 11 + blocks_size) seed.push_back(random.next());
      written &= write(folder / ("seed-" + std::to_string(what) + "-" + std::to_string(by)), seed);
    }
  }
  return written;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: %s folder\n", arguments[0]);
    return 2;
  }
  const std::filesystem::path folder = arguments[1];
  std::filesystem::create_directories(folder / "operations");
  std::filesystem::create_directories(folder / "corruption");
  return write_operations(folder / "operations") && write_corruption(folder / "corruption") ? 0 : 1;
}
