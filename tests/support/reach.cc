// reach.cc - touches through a pipe, and through /proc/self/mem where that is refused, past what sanitizers put in front of system calls.
#include "reach.h"

#include <fcntl.h>
#include <unistd.h>
#if __has_include(<sys/syscall.h>)
#include <sys/syscall.h>
#endif

#include <cerrno>
#include <cstdint>

#include "child.h"
#include "page_state.h"

namespace {

#if __has_include(<sys/syscall.h>)
long write_directly(int to, const void* bytes, std::size_t length) { return syscall(SYS_write, to, bytes, length); }
long read_directly(int from, void* bytes, std::size_t length) { return syscall(SYS_read, from, bytes, length); }
#else
long write_directly(int to, const void* bytes, std::size_t length) { return write(to, bytes, length); }
long read_directly(int from, void* bytes, std::size_t length) { return read(from, bytes, length); }
#endif

// Of each call its own, so that any number of threads can ask; leaves errno as it was.
class channel {
 public:
  channel() : errno_(errno) { prove(pipe(ends_) == 0, "a pipe to probe with"); }
  ~channel() {
    close(ends_[0]);
    close(ends_[1]);
    errno = errno_;
  }
  channel(const channel&) = delete;
  channel& operator=(const channel&) = delete;

  // As many bytes as a pipe takes at once, 4096 at least.
  bool give(const void* bytes, std::size_t length = 1) const {
    return write_directly(ends_[1], bytes, length) == static_cast<long>(length);
  }
  bool take(void* bytes, std::size_t length = 1) const {
    return read_directly(ends_[0], bytes, length) == static_cast<long>(length);
  }

 private:
  int errno_;
  int ends_[2];
};

}  // namespace

bool readable_here(const void* byte) { return channel().give(byte); }

bool writable_here(void* byte) {
  const channel through;
  const char zero = 0;
  return (through.give(byte) || through.give(&zero)) && through.take(byte);
}

bool peek(const void* address, std::size_t length, char* out) {
  constexpr std::size_t most = 4096;  // and no piece crosses a page, whatever its size
  const channel through;
  const int memory = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
  bool had = true;
  for (auto from = reinterpret_cast<std::uintptr_t>(address); had && length != 0;) {
    const std::size_t piece = length < most - from % most ? length : most - from % most;
    had = (through.give(reinterpret_cast<const void*>(from), piece) && through.take(out, piece)) ||
          pread(memory, out, piece, static_cast<off_t>(from + shift_of_accounts())) == static_cast<ssize_t>(piece);
    from += piece;
    out += piece;
    length -= piece;
  }
  close(memory);
  return had;
}
