// kept_terminal.h - the user's terminal, put back by a signal that ends or stops this process while it shows nothing that is typed.
//
// One at a time: a handler finds it through a global.
#ifndef TOOLS_VAULT_KEPT_TERMINAL_H
#define TOOLS_VAULT_KEPT_TERMINAL_H

#include <sys/types.h>

#include <csignal>
#include <cstddef>
#include <vector>

namespace lockfast::tools {

class kept_terminal {
 public:
  // The process asks by itself: whoever stops it finds the terminal as it was.
  kept_terminal();
  // Another process asks. It is ended first (SIGTERM), and takes care itself of what stops both.
  explicit kept_terminal(pid_t asks);
  kept_terminal(const kept_terminal&) = delete;
  kept_terminal& operator=(const kept_terminal&) = delete;
  ~kept_terminal();

  // After a process that was killed while it asked.
  void put_back() const;

 private:
  struct handled {
    int number;
    struct sigaction before;
  };

  void handle(int number, void (*handler)(int), int flags);

  int opened_;
  std::vector<handled> handled_;
};

}  // namespace lockfast::tools

#endif
