// descriptors_test.cc - the descriptors that the Linux host opens for the length of a call.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "host/reserved.h"
#include "platform/platform.h"

namespace platform = lockfast::platform;

namespace {

// Tells nothing of what went before: the sanitizer for threads takes no order of two threads from a relaxed order.
class unordered_signal {
 public:
  void give() { given_.store(true, std::memory_order_relaxed); }
  void await() const {
    while (!given_.load(std::memory_order_relaxed)) usleep(100);
  }

 private:
  std::atomic<bool> given_{false};
};

}  // namespace

// ThreadSanitizer keeps a record for each number, which the interceptors of mmap(2) and close(2) use: hidden memory was mapped by
// the one and closed by neither, and a program under it was told of a race with its own file.
TEST_CASE("another thread may have a number again that hidden memory had") {
  if (platform::hiding_error() != 0) return;
  for (int round = 0; round < 10; ++round) {
    unordered_signal hidden;
    int number = -1;
    std::thread hides([&] {
      const reserved one(1);
      platform::reservation again = one.how();
      const bool had = platform::hide(one.begin(), one.size(), platform::fork_policy::absent, again) == 0;
      hidden.give();
      if (had) (void)platform::unhide(one.begin(), one.size(), platform::fork_policy::absent, again);
    });
    std::thread opens([&] {
      hidden.await();
      number = static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/dev/null", O_RDONLY | O_CLOEXEC));
      close(number);
    });
    hides.join();
    opens.join();
    CHECK(number >= 0);
  }
}

TEST_CASE("no descriptor is left by a call") {
  const auto next_number = [] {
    const int number = open("/dev/null", O_RDONLY | O_CLOEXEC);
    close(number);
    return number;
  };
  const reserved one(1);
  (void)platform::hiding_error();  // the first looks
  const int before = next_number();
  platform::reservation again = one.how();
  if (platform::hide(one.begin(), one.size(), platform::fork_policy::absent, again) == 0) {
    CHECK(platform::unhide(one.begin(), one.size(), platform::fork_policy::absent, again) == 0);
  }
  (void)platform::may_hibernate();
  CHECK(next_number() == before);
}
