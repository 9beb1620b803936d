// error_detail_test.cc - what last_error() says when a vault is not saved or not loaded: what, where, why, and what helps.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "boojum/crypto/little_endian.h"
#include "support/child.h"
#include "vault/saving.h"

#ifdef __linux__
#include <sched.h>
#include <sys/mount.h>
#endif

using namespace lockfast;
using internal::store_little;

namespace {

const vault::save_options cheap = {.cost = 10};

passphrase phrase_of(std::string_view characters) {
  std::string typed(characters);
  return std::move(*passphrase::take(std::span<char>(typed)));
}

const passphrase& phrase() {
  static const passphrase the_phrase = phrase_of("correct horse battery staple");
  return the_phrase;
}

vault one_record() {
  vault made;
  REQUIRE(made.insert(std::move(*buffer<std::byte>::random(32))).has_value());
  return made;
}

// A saved vault's path.
std::string saved_in(const own_folder& folder) {
  vault records = one_record();
  REQUIRE(records.save(folder.file("records"), phrase(), cheap).has_value());
  return folder.file("records");
}

void write(const std::string& file, std::string_view contents) { std::ofstream(file, std::ios::binary) << contents; }

// A copy of a vault's file with a number put into it.
std::string changed(const own_folder& folder, std::size_t offset, std::uint32_t number) {
  std::vector<char> contents = contents_of(saved_in(folder));
  store_little(reinterpret_cast<std::byte*>(contents.data()) + offset, number);
  write(folder.file("changed"), {contents.data(), contents.size()});
  return folder.file("changed");
}

bool says(std::string_view words) { return std::string_view(last_error().text()).find(words) != std::string_view::npos; }

// That a refusal is noted with its reason, its errno, and all of the words.
template <class Result>
void check_noted(const Result& refused, memory_error reason, int number, std::initializer_list<std::string_view> words) {
  const error_detail noted = last_error();
  CAPTURE(noted.text());
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error() == reason);
  CHECK(noted.noted());
  CHECK(noted.reason() == reason);
  CHECK(noted.number() == number);
  for (const std::string_view each : words) {
    CAPTURE(each);
    CHECK(says(each));
  }
}

auto loaded(const std::string& path) { return vault::load(path, phrase()); }
auto saved(const std::string& path, const passphrase& under) { return one_record().save(path, under, cheap); }
auto saved(const std::string& path) { return saved(path, phrase()); }

}  // namespace

TEST_CASE("a folder that is missing, and a file that is, are named") {
  const own_folder folder;
  const std::string path = folder.file("missing/records");
  check_noted(loaded(path), memory_error::not_found, ENOENT,
              {"cannot open the folder", folder.file("missing"), "no such", "errno"});
  check_noted(saved(path), memory_error::file_system, ENOENT, {"cannot open the folder", folder.file("missing"), "no such"});
  check_noted(loaded(folder.file("records")), memory_error::not_found, ENOENT,
              {"cannot open " + folder.file("records"), "no such"});
  check_noted(vault::inspect(path), memory_error::not_found, ENOENT, {folder.file("missing")});
  check_noted(vault::file_hold::acquire(path), memory_error::file_system, ENOENT, {folder.file("missing")});
  check_noted(saved(folder.file("")), memory_error::file_system, 0, {folder.file(""), "must end with a file's name"});
}

TEST_CASE("a file that is no vault is not called changed") {
  const own_folder folder;
  const std::string path = folder.file("letter");
  write(path,
        "Dear reader, this letter is long enough to be taken for the header of a vault, if nobody looks at how it begins.");
  for (const char* const each : {"letter", "short", "empty"}) {
    if (each == std::string_view("short")) write(folder.file(each), "abc");
    if (each == std::string_view("empty")) write(folder.file(each), "");
    CAPTURE(each);
    check_noted(loaded(folder.file(each)), memory_error::damaged, 0, {folder.file(each), "no vault"});
    CHECK_FALSE(says("changed"));
    check_noted(vault::inspect(folder.file(each)), memory_error::damaged, 0, {folder.file(each), "no vault"});
  }
  check_noted(saved(path), memory_error::outdated, 0, {path, "no vault", "save elsewhere", "any_file"});
}

TEST_CASE("a file of a newer version is told as such") {
  const own_folder folder;
  check_noted(loaded(changed(folder, 8, 7)), memory_error::unsupported, 0,
              {folder.file("changed"), "format 7", "reads 1 to 2", "use a newer version"});
  CHECK_FALSE(says("cannot do it"));
  std::filesystem::remove_all(folder.file("records"));
  check_noted(loaded(changed(folder, 12, 9)), memory_error::unsupported, 0, {"key function 9", "use a newer version"});
}

TEST_CASE("a link, a device, a pipe and a folder are no ordinary files") {
  const own_folder folder;
  const std::string link = folder.file("link");
  std::filesystem::create_symlink(saved_in(folder), link);
  check_noted(loaded(link), memory_error::file_system, ELOOP, {"cannot open " + link, "symbolic link", "use the path"});
  check_noted(saved(link), memory_error::file_system, ELOOP, {link, "symbolic link"});
  const std::string pipe = folder.file("pipe");
  REQUIRE(mkfifo(pipe.c_str(), 0600) == 0);
  for (const std::string& path : {std::string("/dev/zero"), pipe, folder.path().string()}) {
    check_noted(loaded(path), memory_error::file_system, EINVAL, {"cannot open " + path, "not an ordinary file"});
  }
  check_noted(saved(pipe), memory_error::file_system, EINVAL, {pipe, "not an ordinary file"});
  // What lies in the way of the file beside it is named by its own path.
  const std::string beside = folder.file(".new.saving");
  std::filesystem::create_symlink("records", beside);
  check_noted(saved(folder.file("new")), memory_error::file_system, ELOOP, {"cannot create " + beside, "symbolic link"});
}

TEST_CASE("a limit on the size of files is named at the file that was being written") {
  const own_folder folder;
  const auto end = in_child([&] {
    const passphrase own = phrase_of("of the child");
    const rlimit limit = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
    prove(setrlimit(RLIMIT_FSIZE, &limit) == 0, "a limit on files");
    promised(!saved(folder.file("records"), own), "a refusal");
    promised(last_error().number() == EFBIG && says("ulimit -f") && says("cannot write " + folder.file("records")),
             last_error().text());
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a folder without rights to write is named") {
  const own_folder folder;
  REQUIRE(chmod(folder.path().c_str(), 0555) == 0);
  const auto end = in_child([&] {
    const passphrase own = phrase_of("of the child");
    if (geteuid() == 0) prove(setuid(65534) == 0, "another user");
    promised(!saved(folder.file("records"), own), "a refusal");
    promised(last_error().number() == EACCES && says("no right") && says(folder.file(".records.hold")), last_error().text());
  });
  REQUIRE(chmod(folder.path().c_str(), 0700) == 0);
  CAPTURE(end.text);
  CHECK(end.clean());
}

#ifdef __linux__
TEST_CASE("a full disk and a read-only one are told apart") {
  const own_folder folder;
  const auto end = in_child([&] {
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("none", folder.path().c_str(), "tmpfs", 0, "size=16k,mode=0700") != 0) {
      skip("no file system can be mounted here");
    }
    const passphrase own = phrase_of("of the child");
    vault records;
    prove(records.insert(std::move(*buffer<std::byte>::random(65536))).has_value(), "a record");
    promised(records.save(folder.file("records"), own, cheap).error() == memory_error::file_system, "a refusal");
    promised(last_error().number() == ENOSPC && says("disk is full") && says("cannot write " + folder.file("records")),
             last_error().text());
    prove(mount("none", folder.path().c_str(), "tmpfs", MS_REMOUNT | MS_RDONLY, nullptr) == 0, "a read-only disk");
    promised(records.save(folder.file("records"), own, cheap).error() == memory_error::file_system, "a refusal");
    promised(last_error().number() == EROFS && says("read-only") && says(folder.file(".records.hold")), last_error().text());
  });
  CAPTURE(end.text);
  CHECK((end.clean() || end.skipped()));
}
#endif

TEST_CASE("a file that somebody else saves or holds is busy, and it is said what helps") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const auto held = vault::file_hold::acquire(path);
  REQUIRE(held.has_value());
  check_noted(saved(path), memory_error::busy, 0, {path, "another program or thread", "try again"});
  check_noted(vault::file_hold::acquire(path), memory_error::busy, 0, {path, "try again"});
  vault records = one_record();
  bool asked = false;
  const vault::watcher watch = [&](const vault::progress&) {
    if (!asked) check_noted(records.save(path, phrase(), cheap), memory_error::busy, 0, {"watcher"});
    asked = true;
    return false;
  };
  check_noted(records.save(path, phrase(), {.cost = 10, .watch = watch, .hold = &*held}), memory_error::cancelled, 0,
              {"the watcher stopped it"});
  CHECK(asked);
}

TEST_CASE("an outdated file is told with what was expected") {
  const own_folder folder;
  const std::string path = saved_in(folder);
  check_noted(vault::load(path, phrase(), {.min_saves = 5}), memory_error::outdated, 0, {path, "1 saves", "no fewer than 5"});
  check_noted(saved(path), memory_error::outdated, 0, {path, "load it and repeat the change", "replaces::any_file"});
}

TEST_CASE("a wrong passphrase, one that is gone, and an empty one are told apart") {
  const own_folder folder;
  const std::string path = saved_in(folder);
  check_noted(vault::load(path, phrase_of("another")), memory_error::wrong_passphrase, 0, {path, "passphrase is wrong"});
  passphrase gone = phrase_of("gone");
  gone.clear();
  check_noted(vault::load(path, gone), memory_error::wiped, 0, {"passphrase was cleared", "ask for it again"});
  check_noted(one_record().save(folder.file("other"), gone, cheap), memory_error::wiped, 0, {"passphrase was cleared"});
  check_noted(passphrase::take(std::span<char>()), memory_error::zero_size, 0, {"passphrase is empty"});
}

TEST_CASE("a file that was changed or cut is told as such, with its path") {
  const own_folder folder;
  const std::string path = saved_in(folder);
  const std::vector<char> whole = contents_of(path);
  write(folder.file("cut"), {whole.data(), 100});
  check_noted(loaded(folder.file("cut")), memory_error::damaged, 0, {folder.file("cut"), "cut within its header"});
  write(folder.file("shorter"), {whole.data(), whole.size() - 1});
  check_noted(loaded(folder.file("shorter")), memory_error::damaged, 0,
              {folder.file("shorter"), "changed, cut", "load a copy"});
  std::filesystem::remove(path);
  check_noted(loaded(changed(folder, 16, 30)), memory_error::limit_exceeded, 0, {folder.file("changed"), "30", "max_cost is 20"});
}

TEST_CASE("a key that cannot be derived is told with the range or the memory") {
  const std::array<std::byte, 16> salt = {};
  check_noted(phrase().derive(salt, {.work = 25}), memory_error::limit_exceeded, 0, {"out of its range", "work 1 to 24"});
  check_noted(phrase().derive(salt, {.work = 10}, 4096), memory_error::limit_exceeded, 0, {"at most 1024 bytes"});
  check_noted(phrase().derive_argon2id(salt, {.lanes = 0}), memory_error::limit_exceeded, 0, {"out of its range", "lanes 1 to 64"});
  check_noted(phrase().derive(salt, {.work = 24, .block = 64}), memory_error::denied, ENOMEM,
              {"134217728 KiB", "a lower cost takes less"});
  passphrase gone = phrase_of("gone");
  gone.clear();
  check_noted(gone.derive(salt, {.work = 10}), memory_error::wiped, 0, {"passphrase was cleared"});
  check_noted(one_record().save("records", phrase(), {.cost = 40}), memory_error::limit_exceeded, 0, {"cost of 40", "10 to 20"});
  REQUIRE(phrase().derive(salt, {.work = 10}).has_value());
  CHECK_FALSE(last_error().noted());
}

TEST_CASE("a save and a load that succeed leave nothing noted") {
  const own_folder folder;
  CHECK_FALSE(loaded(folder.file("records")).has_value());
  REQUIRE(last_error().noted());
  vault records = one_record();
  const vault::watcher watch = [&](const vault::progress&) {
    (void)vault::inspect(folder.file("missing"));
    return true;
  };
  REQUIRE(records.save(folder.file("records"), phrase(), {.cost = 10, .watch = watch}).has_value());
  CHECK_FALSE(last_error().noted());
  REQUIRE(loaded(folder.file("records")).has_value());
  CHECK_FALSE(last_error().noted());
}
