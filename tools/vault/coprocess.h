// coprocess.h - a program beside this one, which is spoken to through its standard input and output.
//
// It gets no other descriptor of this process but standard error, so none that a secret comes from; and it ends when this process
// does.
//
// Threads: one.
#ifndef TOOLS_VAULT_COPROCESS_H
#define TOOLS_VAULT_COPROCESS_H

#include <sys/types.h>

#include <string>
#include <string_view>

namespace lockfast::tools {

class coprocess {
 public:
  // Starts it. Throws refusal without a pipe or a process; see start_error.
  explicit coprocess(const std::string& program);
  coprocess(const coprocess&) = delete;
  coprocess& operator=(const coprocess&) = delete;
  ~coprocess() { (void)end(); }

  // Ends its input, so that it ends by itself. After a second it is asked to end (SIGTERM), after another it is killed. False: it did
  // not end by itself.
  bool end();

  // Why the program could not be started, as an errno; 0 if it was.
  int start_error() const { return start_error_; }
  pid_t process() const { return process_; }

  // False: it reads no more.
  bool say(std::string_view text);
  // Waits until it has said something, or has ended. False: it has done neither.
  bool answers_within(int milliseconds) const;
  // What it says is read from here.
  int output() const { return from_; }

 private:
  bool ends_within_a_second() const;

  pid_t process_ = 0;
  int start_error_ = 0;
  int to_ = -1, from_ = -1;
  // A program that ended must not end us.
  void (*pipe_signal_)(int) = nullptr;
};

}  // namespace lockfast::tools

#endif
