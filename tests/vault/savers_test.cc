// savers_test.cc - two who write one path: one of them is told that it is busy, and what the other writes gets the name whole.
//
// What the other does comes at the worst moment: where the first is about to take hold of a file.
#include <doctest/doctest.h>
#include <sys/file.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <string>
#include <utility>

#include "boojum/files/named_file.h"
#include "vault/saving.h"

using lockfast::internal::atomic_file_writer;

namespace {

// Runs before the next flock of this thread.
thread_local std::function<void()> before_hold;

// As a file system without locks answers.
bool no_locks = false;

// How often fsync is still interrupted by a signal.
int interruptions = 0;

std::string text_of(const std::string& file) {
  std::ifstream stream(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), std::istreambuf_iterator<char>()};
}

void write(const atomic_file_writer& to, const std::string& text) {
  REQUIRE(lockfast::platform::write_at(to.opened(), 0, std::as_bytes(std::span(text))) == 0);
}

}  // namespace

// glibc declares that it does not throw, musl does not.
extern "C" int flock(int descriptor, int operation) noexcept(noexcept(::flock(0, 0))) {
  if (before_hold) std::exchange(before_hold, nullptr)();
  if (no_locks) {
    errno = ENOLCK;
    return -1;
  }
  return static_cast<int>(syscall(SYS_flock, descriptor, operation));
}

extern "C" int fsync(int descriptor) {
  if (interruptions > 0) {
    --interruptions;
    errno = EINTR;
    return -1;
  }
  return static_cast<int>(syscall(SYS_fsync, descriptor));
}

TEST_CASE("a file system without locks takes saves all the same, also beside what a killed one left") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::ofstream(folder.file(".records.saving")) << "half a file";
  no_locks = true;
  vault_state records(vault::options{});
  const auto first = save_vault(records, path, work, key_from(), nullptr);
  const auto second = save_vault(records, path, work, key_from(), nullptr);
  const auto held = vault::file_hold::acquire(path);
  no_locks = false;
  CHECK(first.has_value());
  CHECK(second.has_value());
  REQUIRE_FALSE(held.has_value());
  CHECK(held.error() == memory_error::unsupported);
  CHECK(entries_of(folder.path()) == 2);
  CHECK(load_vault(path, key_from(), {}).has_value());
}

TEST_CASE("a signal that interrupts a sync is no error") {
  const own_folder folder;
  vault_state records(vault::options{});
  interruptions = 5;
  CHECK(save_vault(records, folder.file("records"), work, key_from(), nullptr).has_value());
  CHECK(interruptions == 0);
}

TEST_CASE("who takes a file just created for a left-over keeps the name that he then takes") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::optional<atomic_file_writer> other;
  before_hold = [&] {
    auto created = atomic_file_writer::create(path);
    REQUIRE(created.has_value());
    other.emplace(std::move(*created));
  };
  const auto late = atomic_file_writer::create(path);
  REQUIRE(other.has_value());
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error() == memory_error::busy);
  write(*other, "whole");
  CHECK(other->commit().has_value());
  CHECK(text_of(path) == "whole");
}

TEST_CASE("a left-over that somebody else has replaced meanwhile is not removed in his place") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::ofstream(folder.file(".records.saving")) << "half a file";
  std::optional<atomic_file_writer> other;
  before_hold = [&] {
    auto created = atomic_file_writer::create(path);
    REQUIRE(created.has_value());
    other.emplace(std::move(*created));
  };
  const auto late = atomic_file_writer::create(path);
  REQUIRE(other.has_value());
  REQUIRE_FALSE(late.has_value());
  CHECK(late.error() == memory_error::busy);
  write(*other, "whole");
  CHECK(other->commit().has_value());
  CHECK(text_of(path) == "whole");
}

TEST_CASE("a file that has got its name meanwhile is not taken for a left-over") {
  const own_folder folder;
  const std::string path = folder.file("records");
  std::optional<atomic_file_writer> other;
  {
    auto created = atomic_file_writer::create(path);
    REQUIRE(created.has_value());
    other.emplace(std::move(*created));
  }
  write(*other, "first");
  before_hold = [&] {
    CHECK(other->commit().has_value());
    other.reset();
  };
  auto late = atomic_file_writer::create(path);
  CHECK_FALSE(other.has_value());
  REQUIRE(late.has_value());
  CHECK(text_of(path) == "first");
  write(*late, "second");
  CHECK(late->commit().has_value());
  CHECK(text_of(path) == "second");
}

TEST_CASE("a file whose name somebody took away neither takes another's nor removes it") {
  const own_folder folder;
  const std::string path = folder.file("records");
  const std::string beside = folder.file(".records.saving");
  {
    std::ofstream(path) << "before";
    auto mine = atomic_file_writer::create(path);
    REQUIRE(mine.has_value());
    write(*mine, "mine");
    std::filesystem::remove(beside);
    std::ofstream(beside) << "another's";
    const auto taken = mine->commit();
    REQUIRE_FALSE(taken.has_value());
    CHECK(taken.error() == memory_error::file_system);
    CHECK(text_of(path) == "before");
  }
  CHECK(text_of(beside) == "another's");
}
