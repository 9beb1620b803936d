// child.h - runs a body in a process of its own and tells how that process ended.
//
//    auto end = in_child([] {
//      auto *p = static_cast<char *>(sodium_malloc(8));
//      prove(p != nullptr, "a block");     // the set-up: without it the fault below would say nothing
//      p[8] = 1;                           // the deed
//    });
//    CHECK(end.signal == SIGSEGV);
//
// The child has the default actions for fatal signals, writes no core file, is ended by an alarm when it hangs, and leaves by
// _exit: no destructor, no test report and no exit handler of the parent runs twice.
#ifndef LOCKFAST_TESTS_SUPPORT_CHILD_H
#define LOCKFAST_TESTS_SUPPORT_CHILD_H

#include <functional>
#include <string>
#include <vector>

struct ending {
  int signal = 0;    // that killed it, or 0
  int status = 0;    // that it left with
  std::string text;  // what it wrote on standard error

  bool clean() const { return signal == 0 && status == 0; }
  bool skipped() const { return signal == 0 && status == 77; }
  bool trapped() const;  // by a memory access, or by what stands for one
  bool died() const;     // of a fatal signal, as after a breach
  bool said(const char *words) const { return text.find(words) != std::string::npos; }
};

ending in_child(const std::function<void()> &body);

// For use in the child: leaves with 3 when the set-up fails, with 1 when a promise is broken, with 77 when it cannot be tried.
void prove(bool set_up, const char *what);
void promised(bool holds, const char *what);
[[noreturn]] void skip(const char *why);
[[noreturn]] void leave_with(int status);
// Writes a text on standard error. Async-signal-safe.
void say(const char *text);

// Sets a variable of the environment, for this process and its children.
bool set_variable(const char *name, const char *value);

// The signals that crash=wipe is told of here, and what brings each of them.
std::vector<int> fatal_signals();
void cause(int number);

// A scenario runs in a program started afresh: nothing was allocated, locked, forked or initialised before.
class scenario {
 public:
  scenario(const char *name, void (*body)());
  ending run() const;

  // Runs the scenario that the command line names, if any, and leaves.
  static void dispatch(int argc, char **argv);

 private:
  const char *name_;
  void (*body_)();
  scenario *next_;
};

#endif
