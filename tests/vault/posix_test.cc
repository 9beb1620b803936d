// posix_test.cc - modes, links and locks of POSIX around a saved vault and nonces after a fork.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <set>

#include "boojum/crypto/nonce.h"
#include "support/child.h"
#include "vault/saving.h"

using lockfast::internal::fresh_nonce;
using lockfast::internal::nonce;

TEST_CASE("the file is its owner's alone, nothing is left beside it, and no record is plain in it") {
  const own_folder folder;
  const std::string path = folder.file("records");
  vault_state records(vault::options{});
  for (std::uint64_t seed = 0; seed < 50; ++seed) (void)inserted(records, traced(seed, 48));
  const mode_t before = umask(0);
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  umask(before);
  struct stat found = {};
  REQUIRE(stat(path.c_str(), &found) == 0);
  CHECK((found.st_mode & 07777) == 0600);
  CHECK(entries_of(folder.path()) == 1);
  for (std::uint64_t seed = 0; seed < 50; ++seed) CHECK(traced(seed, 48).copies_in(std::filesystem::path(path)) == 0);
  // The control: a plain one would be found.
  std::ofstream plain(folder.file("plain"), std::ios::binary);
  for (std::size_t at = 0; at < 48; ++at) plain.put(static_cast<char>(traced(7, 48)[at]));
  plain.close();
  CHECK(traced(7, 48).copies_in(std::filesystem::path(folder.file("plain"))) == 3);
}

TEST_CASE("what a killed save left is removed by the next; what somebody writes now is left alone") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const std::string beside = folder.file(".records.saving");
  vault_state records(vault::options{});
  const auto id = inserted(records, traced(1));
  std::ofstream(beside) << "half a file";
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(entries_of(folder.path()) == 1);
  const int other = open(beside.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
  REQUIRE(other >= 0);
  REQUIRE(flock(other, LOCK_EX | LOCK_NB) == 0);
  CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::busy);
  CHECK(std::filesystem::exists(beside));
  close(other);
  REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
  CHECK(holds(**load_vault(path, key_from(), {}), id, traced(1)));
}

TEST_CASE("a save whose file was closed by the program, and whose number is another file's, writes nothing there") {
  const own_folder folder;
  const auto end = in_child([&] {
    vault_state records(vault::options{});
    (void)inserted(records, traced(1));
    const std::string mine = folder.file("mine");
    int opened = -1;
    const auto close_all = [&](const vault::progress&) {
      for (int each = 3; each < 64; ++each) (void)close(each);
      for (int each = 0; each < 8; ++each) opened = open(mine.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
      return true;
    };
    const auto saved = save_vault(records, folder.file("records"), work, key_from(), close_all);
    promised(saved.error() == memory_error::file_system, "the save is refused");
    promised(std::filesystem::file_size(mine) == 0 && fcntl(opened, F_GETFD) >= 0, "the other file is as it was");
    promised(!std::filesystem::exists(folder.file("records")), "nothing took the name");
    const auto again = save_vault(records, folder.file("records"), work, key_from(), nullptr);
    promised(again.has_value() && entries_of(folder.path()) == 2, "the next save removes what was left");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a save past the limit on the size of files is file_system, and raises no signal") {
  const own_folder folder;
  const auto end = in_child([&] {
    vault_state records(vault::options{});
    (void)inserted(records, traced(1));
    for (const rlim_t most : {0U, 100U, 200U}) {
      const rlimit limit = {.rlim_cur = most, .rlim_max = RLIM_INFINITY};
      prove(setrlimit(RLIMIT_FSIZE, &limit) == 0, "a limit on files");
      const auto saved = save_vault(records, folder.file("records"), work, key_from(), nullptr);
      promised(!saved && saved.error() == memory_error::file_system, "a save is refused");
    }
    promised(entries_of(folder.path()) == 0, "nothing is left");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a link in the way is neither followed nor written through") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::ofstream(folder.file("victim")) << "as it was";
  vault_state records(vault::options{});
  std::filesystem::create_symlink("victim", folder.file(".records.saving"));
  CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::file_system);
  std::filesystem::remove(folder.file(".records.saving"));
  std::filesystem::create_symlink("victim", path);
  CHECK(load_vault(path, key_from(), {}).error() == memory_error::file_system);
  CHECK(save_vault(records, path, work, key_from(), nullptr).error() == memory_error::file_system);
  CHECK(std::filesystem::is_symlink(path));
  CHECK(contents_of(folder.file("victim")) == std::vector<char>{'a', 's', ' ', 'i', 't', ' ', 'w', 'a', 's'});
  CHECK(entries_of(folder.path()) == 2);
}

TEST_CASE("the file has mode 0600 under every umask, and loads again") {
  const own_folder folder;
  vault_state records(vault::options{});
  (void)inserted(records, traced(1));
  for (const mode_t odd : {0000U, 0077U, 0177U, 0277U, 0577U, 0777U}) {
    CAPTURE(odd);
    const std::string path = folder.file("records") + std::to_string(odd);
    const mode_t before = umask(odd);
    const auto saved = save_vault(records, path, work, key_from(), nullptr);
    umask(before);
    REQUIRE(saved.has_value());
    struct stat found = {};
    REQUIRE(stat(path.c_str(), &found) == 0);
    CHECK((found.st_mode & 07777) == 0600);
  }
}

TEST_CASE("a name as long as the file system allows is saved, loaded and saved again") {
  const own_folder folder;
  vault_state records(vault::options{});
  const auto id = inserted(records, traced(1));
  for (const std::size_t length : {std::size_t{230}, std::size_t{247}, std::size_t{250}, std::size_t{255}}) {
    CAPTURE(length);
    const std::string path = folder.file(std::string(length, 'n').c_str());
    REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
    REQUIRE(save_vault(records, path, work, key_from(), nullptr).has_value());
    CHECK(holds(**load_vault(path, key_from(), {}), id, traced(1)));
    REQUIRE(entries_of(folder.path()) == 1);
    std::filesystem::remove(path);
  }
}

TEST_CASE("a forked child never draws its parent's nonce") {
  constexpr std::size_t count = 1000;
  std::set<nonce> all = {*fresh_nonce()};
  int ends[2];
  REQUIRE(pipe(ends) == 0);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  std::vector<nonce> mine(count);
  for (nonce& each : mine) each = *fresh_nonce();
  if (child == 0) {
    const auto size = static_cast<ssize_t>(count * sizeof(nonce));
    _exit(write(ends[1], mine.data(), count * sizeof(nonce)) == size ? 0 : 1);
  }
  close(ends[1]);
  std::vector<nonce> childs(count);
  std::size_t size = 0;
  while (size < count * sizeof(nonce)) {
    const ssize_t part = read(ends[0], reinterpret_cast<std::byte*>(childs.data()) + size, count * sizeof(nonce) - size);
    REQUIRE(part > 0);
    size += static_cast<std::size_t>(part);
  }
  close(ends[0]);
  int state = 0;
  REQUIRE(waitpid(child, &state, 0) == child);
  CHECK(state == 0);
  all.insert(mine.begin(), mine.end());
  all.insert(childs.begin(), childs.end());
  CHECK(all.size() == 1 + 2 * count);
}
