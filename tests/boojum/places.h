// places.h - the ways in which a secret can be held, for tests that go through all of them.
#ifndef LOCKFAST_TESTS_BOOJUM_PLACES_H
#define LOCKFAST_TESTS_BOOJUM_PLACES_H

#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>

#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool under_sanitizer = true;
#elif defined(__has_feature)
constexpr bool under_sanitizer = __has_feature(address_sanitizer) || __has_feature(thread_sanitizer);
#else
constexpr bool under_sanitizer = false;
#endif

// A directory of the test's own, gone with it. In RAM where there is such a place, since a disk takes milliseconds for each sync;
// on_disk: where files are kept.
enum class medium : unsigned char { any, on_disk };

class own_directory {
 public:
  explicit own_directory(medium where = medium::any) {
    const bool in_ram = where == medium::any && std::filesystem::exists("/dev/shm");
    const std::filesystem::path base = in_ram ? "/dev/shm" : std::filesystem::temp_directory_path();
    std::string pattern = (base / "lockfast-test-XXXXXX").string();
    if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
  }
  ~own_directory() { std::filesystem::remove_all(path_); }
  own_directory(const own_directory&) = delete;
  own_directory& operator=(const own_directory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The files of a directory that this process has open, nameless ones too: their paths below /proc/self/fd.
inline std::vector<std::string> open_files(const std::string& directory) {
  std::vector<std::string> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    struct stat state = {};
    if (!gone && target.starts_with(directory + "/") && stat(entry.path().c_str(), &state) == 0 && S_ISREG(state.st_mode)) {
      found.push_back(entry.path());
    }
  }
  return found;
}

// The kinds of non_contiguous_memory that are tested: every mix of places, few and many shares, short and long prekeys.
inline std::vector<lockfast::non_contiguous_memory::options> split_kinds(const std::string& directory) {
  using enum lockfast::place;
  std::vector<lockfast::non_contiguous_memory::options> kinds;
  for (const std::size_t prekey : {32U, 1000U, 16384U}) {
    for (const auto& shares :
         {std::vector{ram, ram}, std::vector{ram, file}, std::vector{file, ram}, std::vector{file, file}}) {
      kinds.push_back({.shares = shares, .prekey = prekey, .directory = directory});
    }
  }
  kinds.push_back({.shares = {ram, file, ram}, .prekey = 65536, .directory = directory});
  kinds.push_back({.shares = std::vector(16, ram), .prekey = 64, .directory = directory});
  kinds.push_back({.shares = {ram, file, ram, file, ram, file, ram, file, file}, .prekey = 33, .directory = directory});
  kinds.push_back({.shares = {ram, ram}, .prekey = 32, .remix = lockfast::remix::on_demand});
  return kinds;
}

#endif
