// proc_file.h - the small text files in which Linux tells of itself.
//
// Threads: a file belongs to one thread.
#ifndef LOCKFAST_PLATFORM_LINUX_PROC_FILE_H
#define LOCKFAST_PLATFORM_LINUX_PROC_FILE_H

#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "platform/linux/calls.h"

namespace lockfast::platform {

// By system calls of its own: those of the C library are cancellation points, and a thread that ended there would keep its mutexes
// and the descriptor.
//
// The whole of a small file, as text; empty when it cannot be read. In /proc, lines may come in any number of pieces.
class text_file {
 public:
  explicit text_file(const char* path)
      : descriptor_(static_cast<int>(syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC))) {}
  ~text_file() {
    if (descriptor_ >= 0) (void)syscall(SYS_close, descriptor_);
  }
  text_file(const text_file&) = delete;
  text_file& operator=(const text_file&) = delete;

  [[nodiscard]] bool opened() const { return descriptor_ >= 0; }
  [[nodiscard]] std::span<const char> next_piece() {
    const long length =
        descriptor_ < 0 ? 0 : written_by_system(buffer_, syscall(SYS_read, descriptor_, buffer_, sizeof buffer_));
    return {buffer_, length < 0 ? 0 : static_cast<std::size_t>(length)};
  }

 private:
  int descriptor_;
  char buffer_[1024];
};

// The number behind a name at the start of a line, as in /proc/PID/status: "Seccomp:  2". Sees the text character by character.
class status_field {
 public:
  enum class base : unsigned char { decimal = 10, hexadecimal = 16 };
  explicit status_field(const char* name, base in = base::decimal) : name_(name), base_(static_cast<unsigned>(in)) {}

  void see(char character) {
    if (character == '\n') {
      is_read_ |= at_ != other_line && name_[at_] == '\0';
      at_ = 0;
    } else if (at_ != other_line && name_[at_] == '\0') {
      const unsigned digit = character >= 'a'   ? static_cast<unsigned>(character - 'a') + 10
                             : character >= '0' ? static_cast<unsigned>(character - '0')
                                                : base_;
      if (digit < base_) value_ = value_ * base_ + digit;
    } else {
      at_ = at_ != other_line && name_[at_] == character ? at_ + 1 : other_line;
    }
  }
  // Whether the line of the name has ended.
  [[nodiscard]] bool is_read() const { return is_read_; }
  // 0 where no line has it.
  [[nodiscard]] std::uint64_t value() const { return value_; }

 private:
  static constexpr std::size_t other_line = ~std::size_t{0};

  const char* name_;
  unsigned base_;
  std::size_t at_ = 0;
  std::uint64_t value_ = 0;
  bool is_read_ = false;
};

}  // namespace lockfast::platform

#endif
