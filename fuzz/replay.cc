// replay.cc - runs a fuzz target over the files of folders, without libFuzzer: fails when a kind of operation never
// happened.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

#include "fuzz/target.h"

namespace {

std::vector<std::filesystem::path> files_of(const std::filesystem::path& where) {
  std::vector<std::filesystem::path> files;
  if (std::filesystem::is_regular_file(where)) files.push_back(where);
  if (std::filesystem::is_directory(where))
    for (const auto& entry : std::filesystem::recursive_directory_iterator(where))
      if (entry.is_regular_file()) files.push_back(entry.path());
  std::ranges::sort(files);
  return files;
}

void run(const std::filesystem::path& file) {
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> text{std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
  const std::vector<std::uint8_t> input(text.begin(), text.end());
  std::fprintf(stderr, "replay: %s\n", file.c_str());
  LLVMFuzzerTestOneInput(input.data(), input.size());
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 2) {
    std::fprintf(stderr, "usage: %s folder-or-file ...\n", arguments[0]);
    return 2;
  }
  std::size_t inputs = 0;
  bool folder = false;
  for (int i = 1; i < count; ++i) {
    folder = folder || std::filesystem::is_directory(arguments[i]);
    for (const auto& file : files_of(arguments[i])) {
      run(file);
      ++inputs;
    }
  }
  std::printf("%zu inputs\n", inputs);
  int result = inputs == 0 ? 1 : 0;
  for (const auto& kind : lockfast::fuzz::kinds()) {
    std::printf("%10llu  %s\n", static_cast<unsigned long long>(kind.count), kind.name);
    if (kind.count == 0 && folder) result = 1;
  }
  if (inputs == 0) std::puts("failed: there was nothing to replay");
  if (inputs != 0 && result != 0) std::puts("failed: a kind was never executed");
  return result;
}
