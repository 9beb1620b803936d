// seed.cc - writes the seeds of all corpora, always the same: `fuzz_seed fuzz/corpus`.
//
// Most seeds are random bytes, of which the decoders make every kind of operation. Seeds of corruption are a
// plan's fields in the order in which decode_plan reads them: each corruption, with each call that may notice it where a
// call has to.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "fuzz/corruption_plan.h"

namespace {

using lockfast::fuzz::corruption;
using lockfast::fuzz::corruption_count;
using lockfast::fuzz::noticing_count;

constexpr int operation_seeds = 24;
constexpr std::size_t operation_seed_size = 900;
constexpr int boojum_seeds = 16;
constexpr std::size_t boojum_seed_size = 300;
constexpr int share_file_seeds = 60;
constexpr std::size_t share_file_seed_size = 200;
constexpr int vault_seeds = 16;
constexpr std::size_t vault_seed_size = 600;
constexpr int vault_file_seeds = 80;
constexpr std::size_t vault_file_seed_size = 260;
constexpr int report_file_seeds = 48;
constexpr std::size_t report_file_seed_size = 900;
constexpr std::size_t plan_size = 44;
constexpr std::size_t recycle_field = 2;
constexpr std::size_t offset_field = 5;  // two bytes, then whether it is a small one
constexpr std::size_t between_field = 9;
constexpr std::size_t blocks_field = 10;  // their number, then each: how, alignment, size
constexpr std::size_t canary_size = 16;

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

bool write_random(const std::filesystem::path& folder, int count, std::size_t size) {
  bool written = true;
  for (int i = 0; i < count; ++i) {
    numbers random(static_cast<std::uint64_t>(i));
    std::vector<std::uint8_t> seed(size);
    for (std::uint8_t& byte : seed) byte = random.next();
    written &= write(folder / ("seed-" + std::to_string(i)), seed);
  }
  return written;
}

// A plan in which every field from the offset on is random, but for those that are given.
std::vector<std::uint8_t> plan_seed(std::size_t what, std::size_t by, numbers random) {
  std::vector<std::uint8_t> seed{static_cast<std::uint8_t>(what), static_cast<std::uint8_t>(by),
                                 static_cast<std::uint8_t>((what + by) % 2)};
  while (seed.size() < plan_size) seed.push_back(random.next());
  return seed;
}

bool is_noticed_by_a_call(corruption what) {
  switch (what) {
    case corruption::canary:
    case corruption::another_canary:
    case corruption::earlier_canary:
    case corruption::padding:
    case corruption::double_free:
    case corruption::interior_pointer:
    case corruption::invalid_pointer: return true;
    default: return false;
  }
}

bool write_corruption(const std::filesystem::path& folder) {
  bool written = true;
  for (std::size_t what = 0; what < corruption_count; ++what) {
    for (std::size_t by = 0; by < (is_noticed_by_a_call(static_cast<corruption>(what)) ? noticing_count : 2); ++by) {
      const auto seed = plan_seed(what, by, numbers(what * noticing_count + by));
      written &= write(folder / ("seed-" + std::to_string(what) + "-" + std::to_string(by)), seed);
    }
  }
  // Every byte of the canary, and every one of a gap of 15 bytes behind a secret that is aligned to 16.
  for (std::uint8_t at = 0; at < canary_size; ++at) {
    auto seed = plan_seed(static_cast<std::size_t>(corruption::canary), at % noticing_count, numbers(at));
    seed[offset_field] = 0;
    seed[offset_field + 1] = at;
    seed[offset_field + 2] = 0;
    written &= write(folder / ("canary-" + std::to_string(at)), seed);
    seed[0] = static_cast<std::uint8_t>(corruption::after);
    const std::uint8_t one_block_of_one_byte[] = {0, 3, 4, 1, 1};
    std::ranges::copy(one_block_of_one_byte, seed.begin() + blocks_field);
    written &= write(folder / ("gap-" + std::to_string(at)), seed);
  }
  // Each corruption of a secret of each way to allocate, beside another of the same.
  for (std::uint8_t what = 0; what < corruption_count; ++what) {
    for (const std::uint8_t way : {std::uint8_t{0}, std::uint8_t{1}, std::uint8_t{3}, std::uint8_t{4}}) {
      auto seed = plan_seed(what, (what + way) % noticing_count, numbers(what * noticing_count + way));
      const std::uint8_t two_blocks_of_forty_bytes[] = {1, 0, way, 5, 15, 40, way, 5, 15, 40};
      std::ranges::copy(two_blocks_of_forty_bytes, seed.begin() + blocks_field);
      written &= write(folder / ("way-" + std::to_string(what) + "-" + std::to_string(way)), seed);
    }
  }
  // The canary in front of a freed secret whose pages stay mapped.
  for (const corruption what : {corruption::freed_write, corruption::moved_write}) {
    auto seed = plan_seed(static_cast<std::size_t>(what), 0, numbers(0));
    seed[recycle_field] = 1;
    seed[between_field] = 0;
    written &= write(folder / ("freed-canary-" + std::to_string(seed[0])), seed);
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
  for (const char* target : {"operations", "corruption", "boojum_operations", "share_file", "vault_operations", "vault_file", "report_file"}) {
    std::filesystem::create_directories(folder / target);
  }
  const bool written = write_random(folder / "operations", operation_seeds, operation_seed_size) &&
                       write_corruption(folder / "corruption") &&
                       write_random(folder / "boojum_operations", boojum_seeds, boojum_seed_size) &&
                       write_random(folder / "share_file", share_file_seeds, share_file_seed_size) &&
                       write_random(folder / "vault_operations", vault_seeds, vault_seed_size) &&
                       write_random(folder / "vault_file", vault_file_seeds, vault_file_seed_size) &&
                       write_random(folder / "report_file", report_file_seeds, report_file_seed_size);
  return written ? 0 : 1;
}
