// lost_files_test.cc - a program that closes every descriptor, ours too, and opens its own files under their numbers: as daemons do.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>

#include "boojum/places.h"
#include "platform/files.h"

using namespace lockfast;

namespace {

constexpr int max_descriptors = 64;

buffer<std::byte> random_secret(std::size_t size) { return std::move(*buffer<std::byte>::random(size)); }

// What a daemon does at its start, but for standard error, which the test is told on.
void close_all() {
  for (int each = 3; each < max_descriptors; ++each) (void)close(each);
}

// The program's own files, which take the numbers that are free, in the same directory: so that its inodes come again as well.
class documents {
 public:
  explicit documents(std::string folder) : folder_(std::move(folder)) {
    for (int each = 0; each < count; ++each) {
      const int opened = open(path(each).c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
      prove(opened >= 0 && write(opened, text, sizeof text) == sizeof text, "a document");
      numbers_[static_cast<std::size_t>(each)] = opened;
    }
  }

  void check() const {
    for (int each = 0; each < count; ++each) {
      std::array<char, sizeof text + 1> found{};
      const int opened = numbers_[static_cast<std::size_t>(each)];
      promised(fcntl(opened, F_GETFD) >= 0, "a document is still open");
      promised(pread(opened, found.data(), found.size(), 0) == sizeof text && std::string(found.data()) == text,
               "a document is as it was written");
      promised(lseek(opened, 0, SEEK_CUR) == sizeof text, "a document's offset is as it was");
    }
  }

  static constexpr int count = 24;

 private:
  static constexpr char text[] = "a line of the program's own";
  [[nodiscard]] std::string path(int each) const { return folder_ + "/document-" + std::to_string(each); }

  std::string folder_;
  std::array<int, count> numbers_{};
};

// Everything that has files of ours open.
struct held_secrets {
  explicit held_secrets(const std::string& folder)
      : sealed(file_memory::create(random_secret(5000), {.directory = folder})),
        split(non_contiguous_memory::create(random_secret(5000),
                                            {.shares = {share_place::file, share_place::file}, .directory = folder})) {
    prove(sealed && split, "secrets in files");
  }
  std::expected<file_memory, memory_error> sealed;
  std::expected<non_contiguous_memory, memory_error> split;
};

std::size_t entries_of(const std::string& folder) {
  std::size_t found = 0;
  for (const auto& each : std::filesystem::directory_iterator(folder))
    found += each.is_regular_file() ? std::size_t{1} : std::size_t{0};
  return found;
}

}  // namespace

TEST_CASE("a program that closed our files and opened its own has none of them read, written or closed") {
  for (const medium where : {medium::any, medium::on_disk}) {
    const own_directory files(where);
    const auto end = in_child([&] {
      std::optional<held_secrets> held(files.path());
      close_all();
      const documents own(files.path());
      promised(held->sealed->unlock().error() == memory_error::file_system, "a sealed secret cannot be read");
      promised(held->split->unlock().error() == memory_error::file_system, "a split secret cannot be read");
      promised(!held->split->refresh() && !held->split->refresh(refresh_target::change), "nor be refreshed");
      own.check();
      promised(held->sealed->wipe().error() == memory_error::file_system, "what cannot be overwritten is told");
      own.check();
      held.reset();
      own.check();
      promised(entries_of(files.path()) == documents::count, "nothing but the documents is left");
      const auto again = file_memory::create(random_secret(32), {.directory = files.path()});
      promised(again && again->unlock(), "a new secret gets a new file");
      own.check();
    });
    CAPTURE(end.text);
    CHECK(end.clean());
  }
}

TEST_CASE("a child that closed the parent's files and opened its own keeps them when the parent's secrets go") {
  const own_directory files;
  const auto end = in_child([&] {
    std::optional<held_secrets> held(files.path());
    const auto in_grandchild = in_child([&] {
      close_all();
      const documents own(files.path());
      held.reset();
      own.check();
    });
    promised(in_grandchild.clean(), in_grandchild.text.c_str());
    promised(held->sealed->unlock() && held->split->unlock(), "the parent's secrets are whole");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a number that stands for another file, for the same file opened again, or for nothing is refused") {
  const own_directory place;
  platform::directory in = platform::directory::none;
  REQUIRE(platform::open_ours(place.path().c_str(), platform::missing::refuse, in) == 0);
  platform::file one = platform::file::none;
  REQUIRE(platform::create_named(in, "one", one) == 0);
  const int number = static_cast<int>(one.number);
  const std::string path = place.path() + "/one";
  std::array<std::byte, 4> four{};
  REQUIRE(platform::write_at(one, 0, four) == 0);
  const auto all_refused = [&] {
    std::uint64_t size = 0;
    CHECK(platform::read_at(one, 0, four) == EBADF);
    CHECK(platform::write_at(one, 0, four) == EBADF);
    CHECK(platform::size_of(one, size) == EBADF);
    CHECK(platform::sync(one) == EBADF);
    CHECK(platform::take_hold(one) == EBADF);
    CHECK(platform::still_named(in, "one", one) == EBADF);
    platform::forget(one);
    platform::close(one);
  };
  close(number);
  all_refused();
  for (const char* other : {"/dev/null", path.c_str(), place.path().c_str()}) {
    CAPTURE(other);
    const int opened = open(other, O_RDONLY);
    if (opened != number) {
      REQUIRE(dup2(opened, number) == number);
      close(opened);
    }
    all_refused();
    CHECK(fcntl(number, F_GETFD) >= 0);
    close(number);
  }

  const int folder = static_cast<int>(in.number);
  const own_directory other;
  const int opened = open(other.path().c_str(), O_RDONLY | O_DIRECTORY);
  REQUIRE(dup2(opened, folder) == folder);
  CHECK(platform::create_nameless(in, one) == EBADF);
  CHECK(platform::create_named(in, "two", one) == EBADF);
  CHECK(platform::open_named(in, "one", platform::opening::read, one) == EBADF);
  CHECK(platform::list(in, [](void*, const char*) {}, nullptr) == EBADF);
  CHECK(platform::rename_over(in, "one", "two", one) == EBADF);
  CHECK(platform::remove(in, "one") == EBADF);
  CHECK(platform::sync(in) == EBADF);
  CHECK_FALSE(platform::same(in, in));
  platform::close(in);
  CHECK(fcntl(folder, F_GETFD) >= 0);
  close(folder);
  close(opened);
}

TEST_CASE("files of ours are none of standard input, output and error, also where those are closed") {
  const own_directory files;
  const auto end = in_child([&] {
    const int kept = fcntl(STDERR_FILENO, F_DUPFD, 10);
    for (int each = 0; each < 3; ++each) (void)close(each);
    const auto sealed = file_memory::create(random_secret(32), {.directory = files.path()});
    const bool apart = fcntl(0, F_GETFD) < 0 && fcntl(1, F_GETFD) < 0 && fcntl(2, F_GETFD) < 0;
    (void)dup2(kept, STDERR_FILENO);
    prove(sealed.has_value(), "a secret in a file");
    promised(apart, "the three numbers are free");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}
