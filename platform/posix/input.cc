// input.cc - read, and termios.
#include "platform/input.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>
#include <cerrno>
#include <new>

namespace lockfast::platform {

struct silent_terminal::saved {
  int descriptor;
  termios mode;
};

int read_some(int descriptor, std::span<std::byte> out, std::size_t& count) {
  ssize_t got = 0;
  do {
    got = ::read(descriptor, out.data(), out.size());
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno;
  count = static_cast<std::size_t>(got);
  return 0;
}

int silent_terminal::open() {
  const int descriptor = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  auto* const made = new (std::nothrow) saved{descriptor, {}};
  if (made == nullptr || tcgetattr(descriptor, &made->mode) != 0) {
    const int refusal = made == nullptr ? ENOMEM : errno;
    delete made;
    ::close(descriptor);
    return refusal;
  }
  termios mode = made->mode;
  mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  // What was typed ahead is dropped: it was shown.
  while (tcsetattr(descriptor, TCSAFLUSH, &mode) != 0) {
    if (errno == EINTR) continue;
    const int refusal = errno;
    delete made;
    ::close(descriptor);
    return refusal;
  }
  before_ = made;
  return 0;
}

silent_terminal::~silent_terminal() {
  if (before_ == nullptr) return;
  while (tcsetattr(before_->descriptor, TCSAFLUSH, &before_->mode) != 0 && errno == EINTR) {
  }
  ::close(before_->descriptor);
  delete before_;
}

int silent_terminal::read_key(std::byte& key, bool& is_end) const {
  std::size_t count = 0;
  const int refusal = read_some(before_->descriptor, {&key, 1}, count);
  is_end = count == 0;
  return refusal;
}

int silent_terminal::write(std::string_view text) const {
  while (!text.empty()) {
    const ssize_t done = ::write(before_->descriptor, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return errno;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return 0;
}

}  // namespace lockfast::platform
