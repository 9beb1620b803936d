#include "tools/vault/kept_terminal.h"

#include <fcntl.h>
#include <termios.h>
#include <unistd.h>

#include <cerrno>

namespace lockfast::tools {
namespace {

// All that end a process and can be caught, but for those of a fault in this program.
constexpr int ending_signals[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGPIPE,   SIGALRM, SIGUSR1,
                                  SIGUSR2, SIGXCPU, SIGXFSZ, SIGPROF, SIGVTALRM, SIGIO,   SIGPWR};
constexpr int stopping_signals[] = {SIGTSTP, SIGTTIN, SIGTTOU};

// For the handlers.
int terminal_descriptor = -1;
termios terminal_mode;
pid_t asking = 0;

void put_terminal_back() {
  if (terminal_descriptor >= 0) tcsetattr(terminal_descriptor, TCSAFLUSH, &terminal_mode);
}

void restore_and_end(int number) {
  if (asking > 0) kill(asking, SIGTERM);
  put_terminal_back();
  // Blocked until the handler returns, whose action by then is the default one (SA_RESETHAND).
  raise(number);
}

// The shell gets its terminal back as it was. Afterwards the library makes it silent again (secret_input.hpp).
void restore_and_stop(int) {
  const int kept = errno;
  put_terminal_back();
  raise(SIGSTOP);
  errno = kept;
}

}  // namespace

kept_terminal::kept_terminal(pid_t asks) : opened_(open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC)) {
  if (opened_ >= 0 && tcgetattr(opened_, &terminal_mode) == 0) terminal_descriptor = opened_;
  asking = asks;
  handled_.reserve(std::size(ending_signals) + std::size(stopping_signals));
  for (const int number : ending_signals) handle(number, restore_and_end, static_cast<int>(SA_RESETHAND));
}

kept_terminal::kept_terminal() : kept_terminal(0) {
  for (const int number : stopping_signals) handle(number, restore_and_stop, SA_RESTART);
}

kept_terminal::~kept_terminal() {
  for (const handled& each : handled_) sigaction(each.number, &each.before, nullptr);
  asking = 0;
  terminal_descriptor = -1;
  if (opened_ >= 0) close(opened_);
}

void kept_terminal::put_back() const { put_terminal_back(); }

// What is ignored stays so.
void kept_terminal::handle(int number, void (*handler)(int), int flags) {
  handled taken{number, {}};
  if (sigaction(number, nullptr, &taken.before) != 0 || taken.before.sa_handler == SIG_IGN) return;
  struct sigaction ours{};
  ours.sa_handler = handler;
  ours.sa_flags = flags;
  sigfillset(&ours.sa_mask);
  if (sigaction(number, &ours, nullptr) == 0) handled_.push_back(taken);
}

}  // namespace lockfast::tools
