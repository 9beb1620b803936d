// files_contract_test.cc - the contract of platform/files.h, run against every host and the simulation.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "boojum/files_contract.h"
#include "platform/files.h"

using namespace lockfast;
using platform::directory;
using platform::file;

namespace {

using bytes = std::vector<std::byte>;

bytes of(const char* text) {
  bytes made(std::strlen(text));
  std::memcpy(made.data(), text, made.size());
  return made;
}

// What the caller owes before a file of ours goes.
void wipe(file one) {
  std::uint64_t size = 0;
  REQUIRE(platform::size_of(one, size) == 0);
  REQUIRE(platform::write_at(one, 0, bytes(size)) == 0);
  REQUIRE(platform::sync(one) == 0);
}

class opened_directory {
 public:
  opened_directory() { REQUIRE(platform::open_ours(place_.path(), platform::missing::create, opened_) == 0); }
  ~opened_directory() { platform::close(opened_); }
  opened_directory(const opened_directory&) = delete;
  opened_directory& operator=(const opened_directory&) = delete;

  directory operator()() const { return opened_; }
  std::set<std::string> names() const {
    std::set<std::string> found;
    const auto note = [](void* into, const char* name) { static_cast<std::set<std::string>*>(into)->insert(name); };
    REQUIRE(platform::list(opened_, note, &found) == 0);
    return found;
  }

 private:
  place_for_files place_;
  directory opened_ = directory::none;
};

}  // namespace

TEST_CASE("a directory that is opened twice is the same, and another is not") {
  const place_for_files one;
  const place_for_files other;
  std::array<directory, 3> opened{};
  for (std::size_t each = 0; each < opened.size(); ++each) {
    REQUIRE(platform::open_ours(each < 2 ? one.path() : other.path(), platform::missing::create, opened[each]) == 0);
  }
  CHECK(platform::same(opened[0], opened[1]));
  CHECK_FALSE(platform::same(opened[0], opened[2]));
  for (const directory each : opened) platform::close(each);
}

TEST_CASE("what is written at an offset is read there, and a file that ends before is ENODATA") {
  const opened_directory in;
  file one = file::none;
  REQUIRE(platform::create_named(in(), "one", one) == 0);
  CHECK(platform::write_at(one, 3, of("abcdef")) == 0);
  std::uint64_t size = 0;
  CHECK(platform::size_of(one, size) == 0);
  CHECK(size == 9);
  bytes out(6);
  CHECK(platform::read_at(one, 3, out) == 0);
  CHECK(out == of("abcdef"));
  bytes gap(3);
  CHECK(platform::read_at(one, 0, gap) == 0);
  CHECK(gap == bytes(3));
  CHECK(platform::read_at(one, 4, out) == ENODATA);
  CHECK(platform::read_at(one, 100, out) == ENODATA);
  wipe(one);
  CHECK(platform::remove(in(), "one") == 0);
  platform::close(one);
  CHECK(in.names().empty());
}

TEST_CASE("a name is taken once, is listed, is renamed over another, and is gone when it is removed") {
  const opened_directory in;
  file one = file::none;
  file two = file::none;
  REQUIRE(platform::create_named(in(), "one", one) == 0);
  CHECK(platform::create_named(in(), "one", two) == EEXIST);
  REQUIRE(platform::create_named(in(), "two", two) == 0);
  CHECK(in.names() == std::set<std::string>{"one", "two"});
  REQUIRE(platform::write_at(one, 0, of("first")) == 0);
  REQUIRE(platform::sync(one) == 0);
  wipe(two);
  CHECK(platform::rename_over(in(), "one", "two", one) == 0);
  CHECK(platform::sync(in()) == 0);
  // Where a name is there until its file is closed, it is another than it was.
  const bool goes_at_once = in.names() == std::set<std::string>{"two"};
  if (!goes_at_once) {
    MESSAGE("skipped: a removed file that is open has a name here");
    platform::close(two);
    two = file::none;
    CHECK(in.names() == std::set<std::string>{"two"});
  }
  file again = file::none;
  CHECK(platform::open_named(in(), "one", platform::opening::read, again) == ENOENT);
  REQUIRE(platform::open_named(in(), "two", platform::opening::read, again) == 0);
  bytes out(5);
  CHECK(platform::read_at(again, 0, out) == 0);
  CHECK(out == of("first"));
  platform::close(again);
  wipe(one);
  CHECK(platform::remove(in(), "two") == 0);
  if (goes_at_once) CHECK(in.names().empty());
  platform::close(one);
  platform::close(two);
  CHECK(in.names().empty());
}

TEST_CASE("a named file is held by who created it until it is closed, and then by who takes hold of it") {
  const opened_directory in;
  file one = file::none;
  file other = file::none;
  REQUIRE(platform::create_named(in(), "one", one) == 0);
  REQUIRE(platform::open_named(in(), "one", platform::opening::read_write, other) == 0);
  CHECK(platform::take_hold(other) == EWOULDBLOCK);
  file third = file::none;
  REQUIRE(platform::open_named(in(), "one", platform::opening::read_write, third) == 0);
  CHECK(platform::take_hold(third) == EWOULDBLOCK);
  platform::close(third);
  CHECK(platform::take_hold(other) == EWOULDBLOCK);
  platform::close(one);
  CHECK(platform::take_hold(other) == 0);
  REQUIRE(platform::sync(other) == 0);
  CHECK(platform::remove(in(), "one") == 0);
  platform::close(other);
}

TEST_CASE("a name is an open file's until it is removed, renamed, or another file's") {
  const opened_directory in;
  file one = file::none;
  file two = file::none;
  REQUIRE(platform::create_named(in(), "one", one) == 0);
  CHECK(platform::still_named(in(), "one", one) == 0);
  CHECK(platform::still_named(in(), "two", one) == ENOENT);
  REQUIRE(platform::sync(one) == 0);
  REQUIRE(platform::rename_over(in(), "one", "two", one) == 0);
  CHECK(platform::still_named(in(), "one", one) == ENOENT);
  CHECK(platform::still_named(in(), "two", one) == 0);
  REQUIRE(platform::create_named(in(), "one", two) == 0);
  CHECK(platform::still_named(in(), "one", one) == ENOENT);
  CHECK(platform::still_named(in(), "one", two) == 0);
  CHECK(platform::remove(in(), "one") == 0);
  CHECK(platform::remove(in(), "two") == 0);
  platform::close(one);
  if (in.names().empty()) {
    CHECK(platform::still_named(in(), "one", two) == ENOENT);
  } else {
    MESSAGE("skipped: a removed file that is open has a name here");
  }
  platform::close(two);
  CHECK(in.names().empty());
}

TEST_CASE("a nameless file is not listed, and goes when it is closed") {
  const opened_directory in;
  file one = file::none;
  const platform::error made = platform::create_nameless(in(), one);
  if (made == EOPNOTSUPP) {
    MESSAGE("there are no nameless files here: not tried");
    return;
  }
  REQUIRE(made == 0);
  CHECK(platform::write_at(one, 0, of("nobody's")) == 0);
  CHECK(in.names().empty());
  bytes out(8);
  CHECK(platform::read_at(one, 0, out) == 0);
  CHECK(out == of("nobody's"));
  wipe(one);
  platform::forget(one);
  platform::close(one);
  CHECK(in.names().empty());
}

TEST_CASE("no call changes errno") {
  const opened_directory in;
  errno = 1234;
  file one = file::none;
  CHECK(platform::open_named(in(), "missing", platform::opening::read, one) == ENOENT);
  CHECK(platform::remove(in(), "missing") == ENOENT);
  REQUIRE(platform::create_named(in(), "one", one) == 0);
  bytes out(1);
  CHECK(platform::read_at(one, 0, out) == ENODATA);
  CHECK(platform::sync(one) == 0);
  CHECK(platform::remove(in(), "one") == 0);
  platform::close(one);
  CHECK(errno == 1234);
}
