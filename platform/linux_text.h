// linux_text.h - the small text files in which Linux tells of itself.
//
// Threads: a file belongs to one thread.
#ifndef LOCKFAST_PLATFORM_LINUX_TEXT_H
#define LOCKFAST_PLATFORM_LINUX_TEXT_H

#include <fcntl.h>
#include <unistd.h>

#include <cstddef>
#include <span>

namespace lockfast::platform {

// The whole of a small file, as text; empty when it cannot be read. In /proc, lines may come in any number of pieces.
class text_file {
 public:
  explicit text_file(const char* path) : descriptor_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~text_file() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  text_file(const text_file&) = delete;
  text_file& operator=(const text_file&) = delete;

  [[nodiscard]] std::span<const char> next_piece() {
    const ssize_t length = descriptor_ < 0 ? 0 : read(descriptor_, buffer_, sizeof buffer_);
    return {buffer_, length < 0 ? 0 : static_cast<std::size_t>(length)};
  }

 private:
  int descriptor_;
  char buffer_[4096];
};

}  // namespace lockfast::platform

#endif
