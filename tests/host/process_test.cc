// process_test.cc - limits, random bytes, messages, threads, and errno.
#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#if !defined(_WIN32)
#include <sys/time.h>
#endif

#include "host/reserved.h"
#include "platform/platform.h"
#include "support/check.h"
#include "support/child.h"
#include "support/page_state.h"

namespace platform = lockfast::platform;
using platform::access;

TEST_CASE("random bytes are no pattern, at any length, and fill what they are asked to fill alone") {
  for (const std::size_t length : {1U, 255U, 256U, 257U, 1000U, 100000U}) {
    std::array<std::byte, 100002> bytes = {};
    platform::random(std::span(bytes).subspan(1, length));
    CHECK(bytes[0] == std::byte{0});
    CHECK(bytes[length + 1] == std::byte{0});
    if (length < 255) continue;
    const auto zeros = std::count(bytes.begin() + 1, bytes.begin() + 1 + static_cast<std::ptrdiff_t>(length), std::byte{0});
    CHECK(zeros < static_cast<std::ptrdiff_t>(length / 16));
    // The last of them too: 16 zeros in a row are not random.
    const std::byte* const last = bytes.data() + length - 15;
    CHECK(std::any_of(last, last + 16, [](std::byte one) { return one != std::byte{0}; }));
  }
}

#if !defined(_WIN32)
TEST_CASE("random bytes are random to the last though signals cut the system's answers short") {
  check_clean(in_child([] {
    // Linux looks for signals after each page (random(4)).
    prove(std::signal(SIGALRM, [](int) {}) != SIG_ERR, "a handler");
    const itimerval often = {{0, 500}, {0, 500}};
    prove(setitimer(ITIMER_REAL, &often, nullptr) == 0, "a timer");
    std::vector<std::byte> bytes(std::size_t{4} << 20);
    for (int round = 0; round < 5; ++round) {
      std::ranges::fill(bytes, std::byte{0});
      platform::random(bytes);
      promised(std::any_of(bytes.end() - 16, bytes.end(), [](std::byte one) { return one != std::byte{0}; }), "to the last");
    }
  }));
}
#endif

TEST_CASE("what is overwritten is gone, and closed pages in between are no fault") {
  const std::size_t page = platform::page_size();
  const reserved three(3);
  three.open();
  std::memset(three.begin(), 0x5a, three.size());
  REQUIRE(platform::protect(three.begin() + page, page, access::none) == 0);
  platform::overwrite({three.begin(), three.size()});
  for (std::byte* const open : {three.begin(), three.begin() + 2 * page}) {
    CHECK(std::count(open, open + page, std::byte{0x5a}) < static_cast<std::ptrdiff_t>(page / 16));
  }
  REQUIRE(platform::protect(three.begin() + page, page, access::read_write) == 0);
  // Some systems reach those, too.
  const auto left = std::count(three.begin() + page, three.begin() + 2 * page, std::byte{0x5a});
  CHECK((left == static_cast<std::ptrdiff_t>(page) || left < static_cast<std::ptrdiff_t>(page / 16)));
}

TEST_CASE("pages without access are wiped from outside, those beside them are not, and their locks stay") {
  // An emulator's /proc/self/mem has a program of 32 bits elsewhere.
  if (!asks_for_own_process("a process that writes to its own memory")) return;
  const std::size_t page = platform::page_size();
  const reserved three(3);
  three.open();
  std::memset(three.begin(), 0x5a, three.size());
  const auto is_locked = [&] { return platform::lock_held(three.begin(), three.size()) == platform::hold::all; };
  const bool locked = platform::lock(three.begin(), three.size()) == 0 && is_locked();
  REQUIRE(platform::protect(three.begin() + page, page, access::none) == 0);
  const auto refusal = platform::wipe_closed({three.begin() + page + 8, page - 16});
  if (refusal == ENOTSUP) {
    MESSAGE("skipped: this system lets nobody do that");
  } else {
    REQUIRE(refusal == 0);
    CHECK(is_locked() == locked);
    REQUIRE(platform::protect(three.begin() + page, page, access::read) == 0);
    CHECK(std::count(three.begin() + page + 8, three.begin() + 2 * page - 8, std::byte{0}) == static_cast<std::ptrdiff_t>(page - 16));
    CHECK(std::count(three.begin(), three.begin() + 3 * page, std::byte{0x5a}) == static_cast<std::ptrdiff_t>(2 * page + 16));
  }
}

TEST_CASE("limits are those of a system that can run something") {
  platform::raise_lock_limit();
  CHECK(platform::map_limit() > 100);
  CHECK(platform::maps_used() < platform::map_limit());
  const std::size_t limit = platform::lock_limit();
  CHECK(platform::may_lock(limit));
  CHECK((limit == SIZE_MAX || !platform::may_lock(limit + 1)));
  MESSAGE("lock limit " << platform::lock_limit() << ", maps " << platform::maps_used() << " of " << platform::map_limit());
}

TEST_CASE("a line is written on standard error in one piece, and the end of the process is abort") {
  const ending end = in_child([] {
    constexpr std::string_view line = "host: one line\n";
    platform::write_line({line.data(), line.size()});
    platform::terminate();
  });
  CHECK(end.died());
  CHECK(end.text == "host: one line\n");
}

TEST_CASE("an access violation that is raised is what a forbidden access raises") {
  CHECK(in_child([] { platform::raise_access_violation(); }).trapped());
}

TEST_CASE("the options are those of the environment") {
  CHECK(in_child([] {
          set_variable("LOCKFAST_OPTIONS", "freed=recycle");
          const char* const options = platform::options_variable();
          promised(options != nullptr && std::strcmp(options, "freed=recycle") == 0, "the variable");
        }).clean());
}

namespace {

std::atomic<int> ended_threads = 0;

}  // namespace

TEST_CASE("a thread's end is told of in the thread that expects it") {
  REQUIRE(platform::at_thread_exit([] { ++ended_threads; }) == 0);
  std::thread([] { platform::expect_thread_exit(); }).join();
  CHECK(ended_threads == 1);
  std::thread([] {}).join();
  CHECK(ended_threads == 1);
}

TEST_CASE("nobody else runs where the host says so") {
  std::atomic<bool> done = false;
  std::thread other([&] {
    while (!done) platform::yield();
  });
  CHECK_FALSE(platform::single_threaded());
  done = true;
  other.join();
}

TEST_CASE("a mutex that somebody has is not had by trying, and is nobody's in a child after its reset") {
  static constinit platform::mutex one;
  one.lock();
  CHECK_FALSE(one.try_lock());
  CHECK(in_child([] {
          one.reset_in_child();
          promised(one.try_lock(), "nobody's");
        }).clean());
  one.unlock();
  CHECK(one.try_lock());
  one.unlock();
}

TEST_CASE("nothing changes errno, refused or not") {
  const std::size_t page = platform::page_size();
  constexpr int before = 77;
  errno = before;
  const auto kept = [&](const std::string& what) {
    CAPTURE(what);
    CHECK(errno == before);
    errno = before;
  };
  const auto made = platform::reserve(2 * page, 4 * page, platform::fork_policy::wipe);
  kept("reserve");
  (void)platform::reserve(SIZE_MAX / 2 / page * page, page, platform::fork_policy::absent);
  kept("reserve, refused");
  (void)platform::reserve_again(made.address, page, platform::fork_policy::absent);
  kept("reserve_again, refused");
  (void)platform::protect(made.address, 2 * page, access::read_write);
  kept("protect");
  (void)platform::protect(nullptr, page, access::read_write);
  kept("protect, refused");
  (void)platform::lock(made.address, 2 * page);
  kept("lock");
  (void)platform::unlock(made.address, 2 * page);
  kept("unlock");
  platform::discard(made.address, 2 * page);
  kept("discard");
  platform::release(made.address, 2 * page);
  kept("release");
  (void)platform::lock_foreign(nullptr, page);
  kept("lock_foreign, refused");
  (void)platform::conceal(nullptr, page);
  kept("conceal, refused");
  (void)platform::hiding_error();
  (void)platform::may_hibernate();
  kept("what hides");
  (void)platform::has_guard_markers();
  (void)platform::take_key();
  kept("what few systems have");
  platform::raise_lock_limit();
  (void)platform::lock_limit();
  (void)platform::maps_used();
  (void)platform::map_limit();
  (void)platform::locks_are_real();
  kept("limits");
  std::array<std::byte, 300> bytes = {};
  platform::random(bytes);
  platform::overwrite(bytes);
  kept("random bytes");
}
