// posix_files_test.cc - what only a POSIX host can be asked: modes, links, other kinds of files, other users' directories.
#include <doctest/doctest.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "boojum/files_contract.h"
#include "boojum/places.h"
#include "platform/files.h"
#include "support/child.h"

using namespace lockfast;
using platform::directory;
using platform::file;

place_for_files::place_for_files() {
  std::string pattern = (std::filesystem::temp_directory_path() / "lockfast-test-XXXXXX").string();
  if (mkdtemp(pattern.data()) != nullptr) path_ = pattern;
}
place_for_files::~place_for_files() { std::filesystem::remove_all(path_); }

namespace {

mode_t mode_of(const std::string& path) {
  struct stat found = {};
  REQUIRE(lstat(path.c_str(), &found) == 0);
  return found.st_mode & 07777;
}

struct opened_directory {
  explicit opened_directory(const std::string& path) {
    REQUIRE(platform::open_ours(path.c_str(), platform::missing::refuse, opened) == 0);
  }
  ~opened_directory() { platform::close(opened); }
  opened_directory(const opened_directory&) = delete;
  opened_directory& operator=(const opened_directory&) = delete;

  directory opened = directory::none;
};

}  // namespace

TEST_CASE("a directory and a file are made for their owner alone, whatever the mask") {
  const own_directory place;
  const mode_t before = umask(0);
  directory made = directory::none;
  const std::string path = place.path() + "/made";
  CHECK(platform::open_ours(path.c_str(), platform::missing::refuse, made) == ENOENT);
  REQUIRE(platform::open_ours(path.c_str(), platform::missing::create, made) == 0);
  file one = file::none;
  REQUIRE(platform::create_named(made, "one", one) == 0);
  umask(before);
  CHECK(mode_of(path) == 0700);
  CHECK(mode_of(path + "/one") == 0600);
  platform::close(one);
  platform::close(made);
}

TEST_CASE("a directory that others may enter, that is another's, or that a link leads to, is not ours") {
  const own_directory place;
  directory opened = directory::none;
  for (const mode_t mode : {0710U, 0701U, 0720U, 0755U}) {
    REQUIRE(chmod(place.path().c_str(), mode) == 0);
    CHECK(platform::open_ours(place.path().c_str(), platform::missing::create, opened) == EPERM);
    CHECK(opened == directory::none);
  }
  REQUIRE(chmod(place.path().c_str(), 0700) == 0);
  const std::string link = place.path() + "/link";
  std::filesystem::create_directory_symlink(place.path(), link);
  const platform::error refusal = platform::open_ours(link.c_str(), platform::missing::create, opened);
  CHECK((refusal == ELOOP || refusal == ENOTDIR));
  for (const char* end : {"/", "//", "/.", "/./", "/.//."}) {
    CAPTURE(end);
    const platform::error by_its_end = platform::open_ours((link + end).c_str(), platform::missing::create, opened);
    CHECK((by_its_end == ELOOP || by_its_end == ENOTDIR));
    REQUIRE(platform::open_ours((place.path() + end).c_str(), platform::missing::create, opened) == 0);
    platform::close(opened);
    opened = directory::none;
  }
  const std::string plain = place.path() + "/plain";
  std::ofstream(plain) << "a file";
  CHECK(platform::open_ours(plain.c_str(), platform::missing::create, opened) == ENOTDIR);
  if (geteuid() != 0) {
    MESSAGE("only root can give a directory away: not tried");
    return;
  }
  REQUIRE(chown(place.path().c_str(), 65534, 65534) == 0);
  CHECK(platform::open_ours(place.path().c_str(), platform::missing::create, opened) == EPERM);
}

TEST_CASE("links are not followed, and only ordinary files are opened") {
  const own_directory place;
  const opened_directory in(place.path());
  const std::string target = place.path() + "/target";
  std::ofstream(target) << "kept";
  std::filesystem::create_symlink(target, place.path() + "/link");
  std::filesystem::create_symlink(place.path() + "/nowhere", place.path() + "/dangling");
  REQUIRE(mkfifo((place.path() + "/pipe").c_str(), 0600) == 0);
  std::filesystem::create_directory(place.path() + "/folder");
  file one = file::none;
  CHECK(platform::create_named(in.opened, "link", one) == EEXIST);
  CHECK(platform::create_named(in.opened, "dangling", one) == EEXIST);
  CHECK_FALSE(std::filesystem::exists(place.path() + "/nowhere"));
  CHECK(platform::open_named(in.opened, "link", platform::opening::read_write, one) == ELOOP);
  CHECK(platform::open_named(in.opened, "pipe", platform::opening::read_write, one) == EINVAL);
  CHECK(platform::open_named(in.opened, "pipe", platform::opening::read, one) == EINVAL);
  CHECK(platform::open_named(in.opened, "folder", platform::opening::read, one) == EINVAL);
  CHECK(one == file::none);
  CHECK(std::filesystem::file_size(target) == 4);
}

TEST_CASE("a file that root puts in the place of somebody's is theirs, and another that took its name meanwhile is not") {
  if (geteuid() != 0) {
    MESSAGE("only root can give a file away: not tried");
    return;
  }
  const own_directory place;
  const opened_directory in(place.path());
  const auto owner_of = [&](const char* name) {
    struct stat found = {};
    REQUIRE(stat((place.path() + "/" + name).c_str(), &found) == 0);
    return found.st_uid;
  };
  constexpr uid_t nobody = 65534;
  for (const bool is_swapped : {false, true}) {
    CAPTURE(is_swapped);
    std::ofstream(place.path() + "/theirs") << "of before";
    REQUIRE(chown((place.path() + "/theirs").c_str(), nobody, nobody) == 0);
    file one = file::none;
    REQUIRE(platform::create_named(in.opened, "new", one) == 0);
    if (is_swapped) {
      std::filesystem::rename(place.path() + "/new", place.path() + "/moved");
      std::ofstream(place.path() + "/new") << "of root";
    }
    CHECK(platform::rename_over(in.opened, "new", "theirs", one) == 0);
    CHECK(owner_of("theirs") == (is_swapped ? 0 : nobody));
    platform::close(one);
  }
}

TEST_CASE("a file does not outlive an exec, and a process that is killed holds its files no more") {
  const own_directory place;
  const opened_directory in(place.path());
  file one = file::none;
  const auto end = in_child([&] {
    prove(platform::create_named(in.opened, "one", one) == 0, "a file");
    prove(platform::write_at(one, 0, std::as_bytes(std::span("left over"))) == 0, "its contents");
    promised((fcntl(static_cast<int>(one.number), F_GETFD) & FD_CLOEXEC) != 0, "it is closed by exec");
    raise(SIGKILL);
  });
  REQUIRE(end.signal == SIGKILL);
  REQUIRE(platform::open_named(in.opened, "one", platform::opening::read_write, one) == 0);
  CHECK(platform::take_hold(one) == 0);
  platform::close(one);
}

TEST_CASE("the directory for short-lived files is below the session's, else below the one for temporary files") {
  const auto end = in_child([] {
    const own_directory place;
    std::array<char, platform::path_capacity> path{};
    const std::string name = "/lockfast-" + std::to_string(geteuid());
    setenv("XDG_RUNTIME_DIR", place.path().c_str(), 1);
    promised(platform::default_directory(path) == 0 && path.data() == place.path() + name, "the session's");
    setenv("XDG_RUNTIME_DIR", "relative", 1);
    setenv("TMPDIR", place.path().c_str(), 1);
    promised(platform::default_directory(path) == 0 && path.data() == place.path() + name, "TMPDIR");
    setenv("XDG_RUNTIME_DIR", (place.path() + "/missing").c_str(), 1);
    promised(platform::default_directory(path) == 0 && path.data() == place.path() + name, "a session's that is not there");
    unsetenv("TMPDIR");
    promised(platform::default_directory(path) == 0 && path.data() == "/tmp" + name, "/tmp");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
