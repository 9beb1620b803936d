// files_test.cc - the files of shares and sealed secrets: changed, cut short, left behind.
#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "boojum/places.h"

using namespace lockfast;

namespace {

// The files of a directory that this process has open, nameless ones too: their paths below /proc/self/fd.
std::vector<std::string> open_files(const std::string& directory) {
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

class opened {
 public:
  explicit opened(const std::string& path) : descriptor_(open(path.c_str(), O_RDWR | O_CLOEXEC)) { REQUIRE(descriptor_ >= 0); }
  ~opened() { close(descriptor_); }
  opened(const opened&) = delete;
  opened& operator=(const opened&) = delete;

  std::size_t size() const {
    struct stat state = {};
    REQUIRE(fstat(descriptor_, &state) == 0);
    return static_cast<std::size_t>(state.st_size);
  }
  void resize(std::size_t size) const { REQUIRE(ftruncate(descriptor_, static_cast<off_t>(size)) == 0); }
  std::vector<std::byte> contents() const {
    std::vector<std::byte> bytes(size());
    REQUIRE(pread(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
    return bytes;
  }
  void write(std::span<const std::byte> bytes) const {
    REQUIRE(pwrite(descriptor_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()));
  }
  void flip(std::size_t bit) const {
    std::byte byte{};
    const auto at = static_cast<off_t>(bit / 8);
    REQUIRE(pread(descriptor_, &byte, 1, at) == 1);
    byte ^= static_cast<std::byte>(1U << bit % 8);
    REQUIRE(pwrite(descriptor_, &byte, 1, at) == 1);
  }
  void hold() const { REQUIRE(flock(descriptor_, LOCK_EX | LOCK_NB) == 0); }
  mode_t mode() const {
    struct stat state = {};
    REQUIRE(fstat(descriptor_, &state) == 0);
    return state.st_mode & 07777;
  }

 private:
  int descriptor_;
};

// Every bit flipped, every length but its own: damaged, and whole again when it is put back.
template <class Memory>
void check_every_change(const Memory& held, const buffer<std::byte>& value, const std::string& directory) {
  const auto files = open_files(directory);
  REQUIRE_FALSE(files.empty());
  for (const auto& path : files) {
    const opened file(path);
    CHECK(file.mode() == 0600);
    const auto before = file.contents();
    std::size_t damaged = 0;
    for (std::size_t bit = 0; bit < 8 * file.size(); ++bit) {
      file.flip(bit);
      const auto unlocked = held.unlock();
      damaged += !unlocked && unlocked.error() == memory_error::damaged;
      file.flip(bit);
    }
    CHECK(damaged == 8 * before.size());
    for (std::size_t size = 0; size < before.size() + 3; ++size) {
      if (size == before.size()) continue;
      file.resize(size);
      const auto unlocked = held.unlock();
      REQUIRE_FALSE(unlocked);
      CHECK(unlocked.error() == memory_error::damaged);
      file.resize(before.size());
      file.write(before);
    }
    CHECK(*held.unlock() == value);
  }
}

}  // namespace

TEST_CASE("every single bit of a share's file that is flipped is damage, and so is every other length") {
  using enum place;
  for (const auto& shares : {std::vector{ram, file}, std::vector{file, ram}, std::vector{file, file}}) {
    const own_directory directory;
    const auto value = buffer<std::byte>::random(11);
    // On demand, so that the file is as the test left it.
    const auto held = non_contiguous_memory::create(
        *value->copy(), {.shares = shares, .prekey = 32, .directory = directory.path(), .remix = remix::on_demand});
    REQUIRE(held);
    check_every_change(*held, *value, directory.path());
    REQUIRE(held->refresh());  // the other area is the one that counts now
    check_every_change(*held, *value, directory.path());
  }
}

TEST_CASE("every single bit of a sealed file that is flipped is damage, and so is every other length") {
  const own_directory directory;
  const auto value = buffer<std::byte>::random(33);
  const auto held = file_memory::create(*value->copy(), {.directory = directory.path(), .prekey = 32});
  REQUIRE(held);
  check_every_change(*held, *value, directory.path());
}

TEST_CASE("a share's file holds neither the secret nor, after a re-mix, anything of what it held") {
  const own_directory directory;
  const auto value = buffer<std::byte>::random(64);
  const auto held = non_contiguous_memory::create(
      *value->copy(), {.shares = {place::ram, place::file}, .prekey = 32, .directory = directory.path()});
  const opened file(open_files(directory.path()).at(0));
  const auto contains = [&](std::span<const std::byte> part) {
    const auto all = file.contents();
    return std::search(all.begin(), all.end(), part.begin(), part.end()) != all.end();
  };
  const auto before = file.contents();
  {
    const auto view = value->read();
    CHECK_FALSE(contains(view.span().first(8)));
    CHECK_FALSE(contains(view.span().last(8)));
  }
  for (int round = 0; round < 4; ++round) {
    REQUIRE((round % 2 == 0 ? held->refresh().has_value() : held->unlock().has_value()));
    for (std::size_t at = 32; at + 8 <= 32 + 96; at += 8) CHECK_FALSE(contains(std::span(before).subspan(at, 8)));
  }
}

TEST_CASE("a file is gone, or wiped, when its secret is") {
  const own_directory directory;
  std::string kept_open;
  {
    auto held = file_memory::create(*buffer<std::byte>::random(100), {.directory = directory.path(), .prekey = 32});
    REQUIRE(held);
    const auto files = open_files(directory.path());
    REQUIRE(files.size() == 1);
    const opened file(files[0]);
    CHECK(held->wipe());
    for (const std::byte byte : file.contents()) CHECK(byte == std::byte{0});
  }
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("left-overs of processes that are gone are overwritten and removed at the next start; files in use stay") {
  const own_directory directory;
  const std::string stale = directory.path() + "/share-0123456789abcdef0123456789abcdef";
  const std::string foreign = directory.path() + "/other";
  const std::string used = directory.path() + "/share-in-use";
  for (const auto& path : {stale, foreign, used}) std::ofstream(path) << "left over by a crash";
  const opened watched(stale);
  const opened holder(used);
  holder.hold();

  const auto held = file_memory::create(*buffer<std::byte>::random(8), {.directory = directory.path(), .prekey = 32});
  REQUIRE(held);
  CHECK_FALSE(std::filesystem::exists(stale));
  CHECK(std::filesystem::exists(foreign));
  CHECK(std::filesystem::exists(used));
  for (const std::byte byte : watched.contents()) CHECK(byte == std::byte{0});
}
