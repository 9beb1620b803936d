// child.cc - processes for death tests and for scenarios that start afresh.
#include "child.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "patience.h"

namespace {

constexpr unsigned seconds_to_live = 120;
constexpr const char *scenario_flag = "--scenario";
scenario *first_scenario = nullptr;

[[noreturn]] void leave(int status, const char *kind, const char *what) {
  dprintf(STDERR_FILENO, "%s: %s\n", kind, what);
  _exit(status);
}

void become_child(int error_pipe) {
  dup2(error_pipe, STDERR_FILENO);
  for (int number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGSYS, SIGALRM}) signal(number, SIG_DFL);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  alarm(patience(seconds_to_live));
}

}  // namespace

bool ending::trapped() const { return signal == SIGSEGV || signal == SIGBUS; }

bool ending::died() const { return trapped() || signal == SIGABRT || signal == SIGILL || signal == SIGTRAP; }

ending in_child(const std::function<void()> &body) {
  int ends[2];
  if (pipe(ends) != 0) return {.status = 3, .text = "no pipe"};
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    close(ends[0]);
    become_child(ends[1]);
    close(ends[1]);
    body();
    _exit(0);
  }
  close(ends[1]);
  if (child < 0) {
    close(ends[0]);
    return {.status = 3, .text = "no process"};
  }
  ending end;
  std::array<char, 512> part;
  ssize_t count = 0;
  while ((count = read(ends[0], part.data(), part.size())) > 0) end.text.append(part.data(), static_cast<std::size_t>(count));
  close(ends[0]);
  int state = 0;
  waitpid(child, &state, 0);
  if (WIFSIGNALED(state)) end.signal = WTERMSIG(state);
  if (WIFEXITED(state)) end.status = WEXITSTATUS(state);
  return end;
}

void prove(bool set_up, const char *what) {
  if (!set_up) leave(3, "set-up fails", what);
}

void promised(bool holds, const char *what) {
  if (!holds) leave(1, "promise broken", what);
}

void skip(const char *why) { leave(77, "skipped", why); }

scenario::scenario(const char *name, void (*body)()) : name_(name), body_(body), next_(first_scenario) {
  first_scenario = this;
}

ending scenario::run() const {
  return in_child([this] {
    execl("/proc/self/exe", "conformance", scenario_flag, name_, nullptr);
    prove(false, "exec of this program");
  });
}

void scenario::dispatch(int argc, char **argv) {
  if (argc != 3 || std::strcmp(argv[1], scenario_flag) != 0) return;
  for (const scenario *each = first_scenario; each != nullptr; each = each->next_) {
    if (std::strcmp(argv[2], each->name_) != 0) continue;
    each->body_();
    _exit(0);
  }
  prove(false, "a scenario of this name");
}
