#include "tools/vault/prompt.h"

#include <fcntl.h>
#include <lockfast/secret_input.hpp>
#include <termios.h>
#include <unistd.h>

#include <csignal>

#include "tools/command.h"
#include "tools/vault/explain.h"

namespace lockfast::tools {
namespace {

constexpr int ending_signals[] = {SIGHUP, SIGINT, SIGQUIT, SIGTERM};

int terminal_descriptor = -1;
termios terminal_mode;

void restore_and_end(int number) {
  tcsetattr(terminal_descriptor, TCSAFLUSH, &terminal_mode);
  // Blocked until the handler returns, whose action by then is the default one (SA_RESETHAND).
  raise(number);
}

// The library puts the terminal back when its call ends. A signal that ends the process would leave it silent.
class restored_on_signal {
 public:
  restored_on_signal() : opened_(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
    if (opened_ < 0 || tcgetattr(opened_, &terminal_mode) != 0) return;
    terminal_descriptor = opened_;
    struct sigaction ours{};
    ours.sa_handler = restore_and_end;
    ours.sa_flags = static_cast<int>(SA_RESETHAND);
    sigfillset(&ours.sa_mask);
    for (std::size_t at = 0; at < std::size(ending_signals); ++at) {
      sigaction(ending_signals[at], nullptr, &before_[at]);
      if (before_[at].sa_handler != SIG_IGN) sigaction(ending_signals[at], &ours, nullptr);
    }
    is_set_ = true;
  }
  restored_on_signal(const restored_on_signal&) = delete;
  restored_on_signal& operator=(const restored_on_signal&) = delete;
  ~restored_on_signal() {
    for (std::size_t at = 0; is_set_ && at < std::size(ending_signals); ++at)
      sigaction(ending_signals[at], &before_[at], nullptr);
    if (opened_ >= 0) close(opened_);
  }

 private:
  int opened_;
  bool is_set_ = false;
  struct sigaction before_[std::size(ending_signals)]{};
};

}  // namespace

bool has_terminal() {
  const int opened = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (opened >= 0) close(opened);
  return opened >= 0;
}

buffer<std::byte> ask(const std::string& what) {
  const restored_on_signal restored;
  auto typed = secret_input::ask((what + ": ").c_str(), max_typed);
  if (typed) return std::move(*typed);
  switch (typed.error()) {
    case memory_error::cancelled: throw refusal("cancelled; nothing was changed");
    case memory_error::zero_size: throw refusal("nothing was typed; type at least one character");
    case memory_error::limit_exceeded:
      throw refusal("more than " + std::to_string(max_typed) + " bytes were typed; give it through a descriptor");
    default: refuse(typed.error(), "the terminal");
  }
}

buffer<std::byte> ask_twice(const std::string& what) {
  auto typed = ask(what);
  if (ask("Again") != typed) throw refusal("the two differ; nothing was changed, type the same one twice");
  return typed;
}

}  // namespace lockfast::tools
