// reserved.h - memory of the host's for the length of a test, wiped and released at its end.
#ifndef LOCKFAST_TESTS_HOST_RESERVED_H
#define LOCKFAST_TESTS_HOST_RESERVED_H

#include <doctest/doctest.h>

#include <cstddef>
#include <cstring>

#include "platform/platform.h"

class reserved {
 public:
  explicit reserved(std::size_t pages, lockfast::platform::fork_policy policy = lockfast::platform::fork_policy::absent)
      : size_(pages * lockfast::platform::page_size()), made_(lockfast::platform::reserve(size_, 1, policy)) {
    REQUIRE(made_.address != nullptr);
  }
  ~reserved() {
    if (lockfast::platform::protect(made_.address, size_, lockfast::platform::access::read_write) == 0) {
      std::memset(made_.address, 0, size_);
    }
    (void)lockfast::platform::unlock(made_.address, size_);
    lockfast::platform::release(made_.address, size_);
  }
  reserved(const reserved&) = delete;
  reserved& operator=(const reserved&) = delete;

  [[nodiscard]] std::byte* begin() const { return made_.address; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] const lockfast::platform::reservation& how() const { return made_; }

  void open() const { REQUIRE(lockfast::platform::protect(made_.address, size_, lockfast::platform::access::read_write) == 0); }
  [[nodiscard]] bool filled(std::byte value) const {
    for (std::size_t at = 0; at < size_; ++at) {
      if (made_.address[at] != value) return false;
    }
    return true;
  }

 private:
  std::size_t size_;
  lockfast::platform::reservation made_;
};

#endif
