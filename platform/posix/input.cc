// input.cc - read, and termios.
#include "platform/input.h"

#include <fcntl.h>
#include <poll.h>
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
  for (;;) {
    const ssize_t got = ::read(descriptor, out.data(), out.size());
    if (got >= 0) {
      count = static_cast<std::size_t>(got);
      return 0;
    }
    if (errno == EAGAIN) {
      // Another process that shares the descriptor may have put it in non-blocking mode.
      pollfd waiting{descriptor, POLLIN, 0};
      if (::poll(&waiting, 1, -1) >= 0) continue;
    }
    if (errno != EINTR) return errno;
  }
}

namespace {

termios silent(termios mode) {
  mode.c_lflag &= ~static_cast<tcflag_t>(ECHO | ECHONL | ICANON | ISIG | IEXTEN);
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  return mode;
}

// What was typed ahead is dropped: it was shown.
int set_mode(int descriptor, const termios& mode) {
  while (tcsetattr(descriptor, TCSAFLUSH, &mode) != 0) {
    if (errno != EINTR) return errno;
  }
  return 0;
}

}  // namespace

int silent_terminal::open() {
  const int descriptor = ::open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (descriptor < 0) return errno;
  auto* const made = new (std::nothrow) saved{descriptor, {}};
  int refusal = made == nullptr ? ENOMEM : 0;
  if (refusal == 0 && tcgetattr(descriptor, &made->mode) != 0) refusal = errno;
  if (refusal == 0) refusal = set_mode(descriptor, silent(made->mode));
  if (refusal != 0) {
    delete made;
    ::close(descriptor);
    return refusal;
  }
  before_ = made;
  return 0;
}

silent_terminal::~silent_terminal() {
  if (before_ == nullptr) return;
  (void)set_mode(before_->descriptor, before_->mode);
  ::close(before_->descriptor);
  delete before_;
}

// A shell has its own mode in force while the process is stopped, and may leave it so when the process goes on. So the mode is looked at
// several times a second, and set again: what was typed in between was shown, and is dropped.
int silent_terminal::read_key(std::byte& pressed, bool& is_end) const {
  constexpr int patience_ms = 50;
  pollfd waiting{before_->descriptor, POLLIN, 0};
  for (;;) {
    const int ready = ::poll(&waiting, 1, patience_ms);
    if (ready < 0 && errno != EINTR) return errno;
    termios now;
    if (tcgetattr(before_->descriptor, &now) == 0 && (now.c_lflag & (ECHO | ICANON)) != 0) {
      if (const int refusal = set_mode(before_->descriptor, silent(before_->mode)); refusal != 0) return refusal;
      continue;
    }
    if (ready > 0) break;
  }
  std::size_t count = 0;
  const int refusal = read_some(before_->descriptor, {&pressed, 1}, count);
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
