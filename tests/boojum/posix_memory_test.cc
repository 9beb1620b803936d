// posix_memory_test.cc - modes, links, limits and signals of POSIX, and a fork in the middle of things, as a secret's user meets them.
#include <doctest/doctest.h>
#include <lockfast/lockfast.hpp>

#include <signal.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <thread>

#include "boojum/places.h"
#include "boojum/rest_probe.h"
#include "platform/thread.h"
#include "support/child.h"

using namespace lockfast;

namespace {

// How long the machine has slept, as far as the clock that counts it tells.
std::atomic<time_t> slept = 0;

buffer<std::byte> random_secret(std::size_t size) { return std::move(*buffer<std::byte>::random(size)); }

}  // namespace

TEST_CASE("a directory that is not ours alone is refused") {
  const own_directory files;
  const auto create_in = [](const std::string& path) { return file_memory::create(random_secret(8), {.directory = path}); };
  const std::string open_to_others = files.path() + "/open";
  REQUIRE(mkdir(open_to_others.c_str(), 0700) == 0);
  REQUIRE(chmod(open_to_others.c_str(), 0755) == 0);
  CHECK(create_in(open_to_others).error() == memory_error::file_system);
  std::filesystem::create_directory_symlink(files.path(), files.path() + "/link");
  CHECK(create_in(files.path() + "/link").error() == memory_error::file_system);
  CHECK(create_in("/proc/self").error() == memory_error::file_system);
  CHECK(create_in(files.path() + "/missing/deeper").error() == memory_error::file_system);

  const std::string made = files.path() + "/made";
  CHECK(create_in(made));
  struct stat found = {};
  REQUIRE(stat(made.c_str(), &found) == 0);
  CHECK((found.st_mode & 0777) == 0700);
}

TEST_CASE("a full disk is file_system, and what was held stays whole") {
  const own_directory files;
  const auto end = in_child([&] {
    auto held = non_contiguous_memory::create(random_secret(32),
                                              {.shares = {share_place::ram, share_place::file}, .prekey = 32, .directory = files.path()});
    prove(held.has_value(), "a split secret");
    const auto value = held->unlock();
    prove(value.has_value(), "its value");
    // A write beyond this size fails, as on a full disk; SIGXFSZ, whose action is the default one, does not end the process.
    rlimit limit{};
    prove(getrlimit(RLIMIT_FSIZE, &limit) == 0, "the limit on files");
    const rlim_t before = std::exchange(limit.rlim_cur, 0);
    prove(setrlimit(RLIMIT_FSIZE, &limit) == 0, "a limit on files");
    const auto refused = held->refresh(refresh_target::change);
    promised(!refused && refused.error() == memory_error::file_system, "a refresh that moves is refused");
    const auto sealed = file_memory::create(random_secret(32), {.directory = files.path()});
    promised(!sealed && sealed.error() == memory_error::file_system, "a new file is refused");
    const auto updated = std::move(*held).update(random_secret(32));
    promised(!updated && updated.error() == memory_error::file_system, "an update is refused");
    limit.rlim_cur = before;
    prove(setrlimit(RLIMIT_FSIZE, &limit) == 0, "no limit on files");
    promised(*held->unlock() == *value, "the old value is whole");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

TEST_CASE("a fork while other threads unlock and refresh does no harm on either side") {
  const own_directory files;
  const quick_refresher quick;
  const auto value = buffer<std::byte>::random(32);
  const auto held = non_contiguous_memory::create(
      *value->copy(), {.shares = {share_place::ram, share_place::file}, .prekey = 32, .directory = files.path()});
  const auto in_ram = non_contiguous_memory::create(*value->copy(), {.prekey = 32});
  REQUIRE(held);
  std::atomic<bool> ended = false;
  std::atomic<int> wrong = 0;
  std::thread other([&] {
    while (!ended) {
      const auto whole = held->unlock();
      const auto second = in_ram->unlock();
      wrong += !whole || !(*whole == *value) || !second || !(*second == *value);
    }
  });
  for (int round = 0; round < (under_sanitizer ? 10 : 50); ++round) {
    const auto end = in_child([&] {
      const auto whole = held->unlock();
      promised(!whole && whole.error() == memory_error::unavailable, "the child has no access to the parent's file");
      const auto second = in_ram->unlock();
      promised(!second && second.error() == memory_error::unavailable, "nor to the parent's memory");
      const auto own = non_contiguous_memory::create(*buffer<std::byte>::zeroed(8), {.prekey = 32});
      promised(own && own->unlock(), "it makes and unlocks its own");
    });
    CAPTURE(end.text);
    CHECK(end.clean());
  }
  ended = true;
  other.join();
  CHECK(wrong == 0);
}

TEST_CASE("in a thread of ours only the signals of faults are delivered") {
  static sigset_t blocked;
  static internal::signal_once seen;
  REQUIRE(platform::start_thread([] {
            (void)pthread_sigmask(SIG_BLOCK, nullptr, &blocked);
            seen.give();
          }) == 0);
  seen.wait();
  for (const int fault : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, SIGTRAP, SIGSYS}) CHECK(sigismember(&blocked, fault) == 0);
  for (const int other : {SIGTERM, SIGINT, SIGALRM, SIGUSR1, SIGCHLD}) CHECK(sigismember(&blocked, other) == 1);
}

#if defined(CLOCK_BOOTTIME) && defined(SYS_clock_gettime)
extern "C" int clock_gettime(clockid_t which, timespec* out) noexcept {
  const auto result = static_cast<int>(syscall(SYS_clock_gettime, which, out));
  if (result == 0 && which == CLOCK_BOOTTIME) out->tv_sec += slept.load();
  return result;
}

TEST_CASE("the time while the machine sleeps counts for a passphrase that is idle, and for its lifetime") {
  for (const passphrase::options& chosen : {passphrase::options{.idle_expiry = std::chrono::minutes(5), .prekey = 64},
                                            passphrase::options{.prekey = 64, .lifetime = std::chrono::minutes(5)}}) {
    std::string typed = "brief";
    const auto phrase = passphrase::take(std::span<char>(typed), chosen);
    REQUIRE(phrase);
    CHECK(phrase->available());
    slept = 600;
    CHECK_FALSE(phrase->available());
    slept = 0;
  }
}
#endif
