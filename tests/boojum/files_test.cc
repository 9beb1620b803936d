// files_test.cc - the files of shares and sealed secrets: changed, cut short, left behind.
#include <doctest/doctest.h>
#include <lockfast/boojum.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string_view>
#include <thread>

#include "boojum/places.h"
#include "support/child.h"
#include "support/page_state.h"

using namespace lockfast;

namespace {

constexpr long tmpfs_magic = 0x01021994;  // linux/magic.h

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
  std::size_t pages_in_cache() const {
    const std::size_t length = size();
    void* const mapped = mmap(nullptr, length, PROT_READ, MAP_SHARED, descriptor_, 0);
    REQUIRE(mapped != MAP_FAILED);
    std::vector<unsigned char> resident((length + page_size() - 1) / page_size());
    REQUIRE(mincore(mapped, length, resident.data()) == 0);
    REQUIRE(munmap(mapped, length) == 0);
    return static_cast<std::size_t>(std::ranges::count_if(resident, [](unsigned char each) { return (each & 1) != 0; }));
  }
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
  using enum share_place;
  for (const auto& shares : {std::vector{ram, file}, std::vector{file, ram}, std::vector{file, file}}) {
    const own_directory directory;
    const auto value = buffer<std::byte>::random(11);
    // On demand, so that the file is as the test left it.
    const auto held = non_contiguous_memory::create(
        *value->copy(), {.shares = shares, .prekey = 32, .directory = directory.path(), .remix = remix_policy::on_demand});
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
      *value->copy(), {.shares = {share_place::ram, share_place::file}, .prekey = 32, .directory = directory.path()});
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

TEST_CASE("a symbolic link under the name of a left-over is not followed, and no other kind of file is touched") {
  const own_directory elsewhere;
  const own_directory directory;
  const std::string target = elsewhere.path() + "/precious";
  std::ofstream(target) << "not ours";
  std::filesystem::create_symlink(target, directory.path() + "/share-link");
  REQUIRE(mkfifo((directory.path() + "/share-pipe").c_str(), 0600) == 0);
  std::filesystem::create_directory(directory.path() + "/share-directory");
  CHECK(file_memory::create(*buffer<std::byte>::random(8), {.directory = directory.path(), .prekey = 32}));
  const opened file(target);
  const std::string_view kept = "not ours";
  CHECK(std::ranges::equal(file.contents(), std::as_bytes(std::span(kept))));
  for (const char* name : {"/share-link", "/share-pipe", "/share-directory"}) {
    CHECK(std::filesystem::exists(std::filesystem::symlink_status(directory.path() + name)));
  }
}

TEST_CASE("a folder's name with a byte of 0 is refused, and the folder of the name before it is not made") {
  const own_directory directory;
  const std::string name = directory.path() + "/first" + std::string(1, '\0') + "second";
  CHECK(file_memory::create(*buffer<std::byte>::random(8), {.directory = name}).error() == memory_error::file_system);
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("in a directory that cannot be written to nothing is created, and nothing is left") {
  const own_directory directory;
  const auto end = in_child([&] {
    // Root may write anywhere.
    if (geteuid() == 0) {
      prove(chown(directory.path().c_str(), 65534, 65534) == 0, "a directory of nobody's");
      prove(setegid(65534) == 0 && seteuid(65534) == 0, "to be nobody");
    }
    prove(chmod(directory.path().c_str(), 0500) == 0, "a directory that is not to be written to");
    const auto sealed = file_memory::create(*buffer<std::byte>::random(8), {.directory = directory.path(), .prekey = 32});
    promised(!sealed && sealed.error() == memory_error::file_system, "a sealed file is refused");
    const auto split = non_contiguous_memory::create(
        *buffer<std::byte>::random(8), {.shares = {share_place::ram, share_place::file}, .prekey = 32, .directory = directory.path()});
    promised(!split && split.error() == memory_error::file_system, "a split secret is refused");
    struct lockfast_statistics left = {};
    lockfast_get_statistics(&left);
    promised(left.live == 0, "no secret is left");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
  CHECK(std::filesystem::is_empty(directory.path()));
}

TEST_CASE("a directory that was removed behind our back is made again") {
  const own_directory directory;
  const std::string path = directory.path() + "/own";
  const auto first = file_memory::create(*buffer<std::byte>::random(8), {.directory = path, .prekey = 32});
  REQUIRE(first);
  REQUIRE(std::filesystem::remove(path));
  const auto second = file_memory::create(*buffer<std::byte>::random(8), {.directory = path, .prekey = 32});
  REQUIRE(second);
  CHECK(std::filesystem::exists(path));
  CHECK(first->unlock());
  CHECK(second->unlock());
}

TEST_CASE("a directory that becomes read-only while a secret lives leaves the secret whole") {
  const own_directory directory;
  const auto end = in_child([&] {
    if (geteuid() == 0) {
      prove(chown(directory.path().c_str(), 65534, 65534) == 0, "a directory of nobody's");
      prove(setegid(65534) == 0 && seteuid(65534) == 0, "to be nobody");
    }
    const auto value = buffer<std::byte>::random(40);
    auto held = non_contiguous_memory::create(
        *value->copy(), {.shares = {share_place::file, share_place::ram}, .prekey = 32, .directory = directory.path()});
    prove(held.has_value(), "a split secret");
    prove(chmod(directory.path().c_str(), 0500) == 0, "a directory that is not to be written to");
    const auto moved = held->refresh(refresh_target::change);
    promised(!moved && moved.error() == memory_error::file_system, "a refresh that moves is refused");
    promised(held->refresh().has_value(), "one that stays is not");
    const auto updated = std::move(*held).update(*buffer<std::byte>::random(8));
    promised(!updated && updated.error() == memory_error::file_system, "an update is refused");
    promised(*held->unlock() == *value, "the value is whole");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a file is dropped from the system's cache when its secret rests") {
  const own_directory directory(medium::on_disk);
  struct statfs kind = {};
  REQUIRE(statfs(directory.path().c_str(), &kind) == 0);
  if (kind.f_type == tmpfs_magic) {
    MESSAGE("files here are in RAM: not tried");
    return;
  }
  refresher::stop();
  const auto held = file_memory::create(*buffer<std::byte>::random(3 * 4096), {.directory = directory.path(), .prekey = 32});
  REQUIRE(held);
  const opened file(open_files(directory.path()).at(0));
  CHECK(file.pages_in_cache() == 0);
  (void)file.contents();
  CHECK(file.pages_in_cache() > 0);  // the control
  CHECK(held->unlock());
  CHECK(file.pages_in_cache() == 0);
  // With the refresher at work it is dropped in the next round.
  refresher::period(std::chrono::milliseconds(1));
  CHECK(refresher::start());
  CHECK(held->unlock());
  for (int wait = 0; wait < 5000 && file.pages_in_cache() > 0; ++wait) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  CHECK(file.pages_in_cache() == 0);
  refresher::period(refresher::default_period);
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
