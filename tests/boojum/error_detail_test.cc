// error_detail_test.cc - what last_error() says of each fault that a user can mend: what, where, why, and what helps.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string_view>
#include <thread>
#include <utility>

#include "boojum/memory/error_note.h"
#include "boojum/places.h"
#include "support/child.h"

using namespace lockfast;

namespace {

buffer<std::byte> random_secret(std::size_t size) { return std::move(*buffer<std::byte>::random(size)); }

bool says(std::string_view words) { return std::string_view(last_error().text()).find(words) != std::string_view::npos; }

// That a refusal is noted with its reason, its errno, and all of the words.
template <class Result>
void check_noted(const Result& refused, memory_error reason, int number, std::initializer_list<std::string_view> words) {
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == reason);
  const error_detail noted = last_error();
  CAPTURE(noted.text());
  CHECK(noted.noted());
  CHECK(noted.reason() == reason);
  CHECK(noted.number() == number);
  for (const std::string_view each : words) {
    CAPTURE(each);
    CHECK(says(each));
  }
}

auto create_in(const std::string& path) { return file_memory::create(random_secret(8), {.directory = path}); }

}  // namespace

TEST_CASE("a folder that cannot be used is named, with the reason and what helps") {
  const own_directory files;
  check_noted(create_in(files.path() + "/missing/deeper"), memory_error::file_system, ENOENT,
              {"cannot use the folder", files.path() + "/missing/deeper", "no such file or folder", "errno"});
  const std::string open_to_others = files.path() + "/open";
  REQUIRE(mkdir(open_to_others.c_str(), 0700) == 0);
  REQUIRE(chmod(open_to_others.c_str(), 0755) == 0);
  check_noted(create_in(open_to_others), memory_error::file_system, EPERM, {open_to_others, "mode 0700"});
  std::filesystem::create_directory_symlink(files.path(), files.path() + "/link");
  check_noted(create_in(files.path() + "/link"), memory_error::file_system, ENOTDIR, {files.path() + "/link", "symbolic link"});
  const auto split = non_contiguous_memory::create(random_secret(8), {.shares = {share_place::ram, share_place::file},
                                                                      .directory = open_to_others});
  check_noted(split, memory_error::file_system, EPERM, {open_to_others, "mode 0700"});
}

TEST_CASE("a limit on the size of files is named, and the folder in which it is met") {
  const own_directory files;
  const auto end = in_child([&] {
    const rlimit limit = {.rlim_cur = 0, .rlim_max = RLIM_INFINITY};
    prove(setrlimit(RLIMIT_FSIZE, &limit) == 0, "a limit on files");
    promised(!create_in(files.path()).has_value(), "a refusal");
    promised(last_error().number() == EFBIG && says("ulimit -f") && says(files.path()), last_error().text());
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a limit on open files is named, and what is no file of the kind that is meant") {
  const auto end = in_child([] {
    const own_directory files;
    rlimit before = {};
    prove(getrlimit(RLIMIT_NOFILE, &before) == 0, "the limit on open files");
    const rlimit few = {.rlim_cur = 3, .rlim_max = before.rlim_max};
    prove(setrlimit(RLIMIT_NOFILE, &few) == 0, "another one");
    promised(!create_in(files.path()) && last_error().number() == EMFILE && says("ulimit -n"), last_error().text());
    prove(setrlimit(RLIMIT_NOFILE, &before) == 0, "the limit of before");  // the folder is to be removed
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("each errno of files has words of its own") {
  const std::pair<int, const char*> all[] = {{EDQUOT, "share of the disk"},
                                             {EISDIR, "a folder"},
                                             {ENFILE, "the system has too many files"},
                                             {ENXIO, "not an ordinary file"},
                                             {ENODATA, "ends too early"},
                                             {ENOTTY, "the system refused it"}};
  for (const auto& [number, words] : all) {
    CAPTURE(words);
    const std::expected<void, memory_error> refused = internal::noting([&]() -> std::expected<void, memory_error> {
      return internal::refused_by_system(number, "cannot read", "/a/path");
    });
    check_noted(refused, memory_error::file_system, number, {"cannot read", "/a/path", words});
  }
}

TEST_CASE("an empty passphrase is told as such") {
  check_noted(passphrase::take(std::span<char>()), memory_error::zero_size, 0, {"passphrase is empty"});
}

TEST_CASE("a lock that is refused is told with the limit") {
  const auto end = in_child([] {
    const rlimit limit = {.rlim_cur = 8192, .rlim_max = 8192};
    prove(setrlimit(RLIMIT_MEMLOCK, &limit) == 0, "a limit on locks");
    if (geteuid() == 0) prove(setuid(65534) == 0, "another user");
    auto one = buffer<std::byte>::random(8);
    if (!one) skip("not one secret can be had here");
    const auto split = non_contiguous_memory::create(std::move(*one), {.prekey = 65536});
    promised(!split && split.error() == memory_error::denied, "a refusal");
    promised(says("8192") && says("ulimit -l") && last_error().number() == ENOMEM, last_error().text());
  });
  CAPTURE(end.text);
  CHECK((end.clean() || end.skipped()));
}

TEST_CASE("a note is its thread's own, and the next call forgets it") {
  const own_directory files;
  REQUIRE_FALSE(create_in(files.path() + "/missing/deeper").has_value());
  CHECK(last_error().noted());
  std::thread([] { CHECK_FALSE(last_error().noted()); }).join();
  REQUIRE(create_in(files.path()).has_value());
  CHECK_FALSE(last_error().noted());
  // Longer than what a note holds.
  const std::string long_path = files.path() + "/" + std::string(3000, 'x') + "/deeper";
  REQUIRE_FALSE(create_in(long_path).has_value());
  CHECK(std::strlen(last_error().text()) < error_detail::text_capacity);
  CHECK(says("errno"));
}
