// places.h - the ways in which a secret can be held, for tests that go through all of them.
#ifndef LOCKFAST_TESTS_BOOJUM_PLACES_H
#define LOCKFAST_TESTS_BOOJUM_PLACES_H

#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "platform/files.h"
#include "support/child.h"

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
    std::uint64_t number = 0;
    lockfast_random(&number, sizeof number);
    path_ = (base / ("lockfast-test-" + std::to_string(number))).string();
    lockfast::platform::directory made = lockfast::platform::directory::none;
    // Not by doctest, which a scenario's program runs without.
    prove(lockfast::platform::open_ours(path_.c_str(), lockfast::platform::missing::create, made) == 0, "a directory");
    lockfast::platform::close(made);
  }
  ~own_directory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  own_directory(const own_directory&) = delete;
  own_directory& operator=(const own_directory&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// The files of a directory that this process has open, nameless ones too: paths under which they can be opened again.
std::vector<std::string> open_files(const std::string& directory);

// The kinds of non_contiguous_memory that are tested: every mix of places, few and many shares, short and long prekeys.
inline std::vector<lockfast::non_contiguous_memory::options> split_kinds(const std::string& directory) {
  using enum lockfast::share_place;
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
  kinds.push_back({.shares = {ram, ram}, .prekey = 32, .remix = lockfast::remix_policy::on_demand});
  return kinds;
}

// A refresher that is at work all the time.
struct quick_refresher {
  quick_refresher() {
    CHECK(lockfast::refresher::start());
    lockfast::refresher::period(std::chrono::milliseconds(1));
  }
  ~quick_refresher() { lockfast::refresher::period(lockfast::refresher::default_period); }
};

#endif
