// filled_pipe.h - a pipe that has these bytes and then ends.
#ifndef LOCKFAST_TESTS_SUPPORT_FILLED_PIPE_H
#define LOCKFAST_TESTS_SUPPORT_FILLED_PIPE_H

#include <doctest/doctest.h>
#include <unistd.h>

#include <cstddef>
#include <span>
#include <string_view>

class filled_pipe {
 public:
  // At most what a pipe takes at once.
  explicit filled_pipe(std::span<const std::byte> bytes) {
    REQUIRE(pipe(ends_) == 0);
    REQUIRE(write(ends_[1], bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
    close(ends_[1]);
  }
  explicit filled_pipe(std::string_view text) : filled_pipe(std::as_bytes(std::span(text))) {}
  ~filled_pipe() { close(ends_[0]); }
  filled_pipe(const filled_pipe&) = delete;
  filled_pipe& operator=(const filled_pipe&) = delete;
  int end() const { return ends_[0]; }

 private:
  int ends_[2] = {-1, -1};
};

#endif
