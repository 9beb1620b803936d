// child.cc - processes for death tests and for scenarios that start afresh.
#include "child.h"

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <sstream>
#include <vector>

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

// Leaves out what an emulator says of a death, which a processor does not.
void drop_lines_of_emulator(std::string &text) {
  constexpr const char *theirs = "qemu: uncaught target signal";
  for (std::size_t at = text.find(theirs); at != std::string::npos; at = text.find(theirs, at)) {
    const std::size_t end = text.find('\n', at);
    text.erase(at, end == std::string::npos ? end : end + 1 - at);
  }
}

// Replaces this process by the program of its own file with two arguments: through the emulator that LOCKFAST_TEST_EMULATOR
// names, with that one's arguments, where the machine does not run such a file itself.
void start_afresh(const char *flag, const char *name) {
  const char *const emulator = std::getenv("LOCKFAST_TEST_EMULATOR");
  if (emulator == nullptr || *emulator == '\0') {
    execl("/proc/self/exe", "scenario", flag, name, nullptr);
    return;
  }
  std::array<char, 4096> path = {};
  if (readlink("/proc/self/exe", path.data(), path.size() - 1) < 0) return;
  std::istringstream words(emulator);
  std::vector<std::string> command;
  for (std::string word; words >> word;) command.push_back(word);
  for (const char *const word : {static_cast<const char *>(path.data()), flag, name}) command.emplace_back(word);
  std::vector<char *> arguments;
  for (std::string &word : command) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  execvp(arguments[0], arguments.data());
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
  drop_lines_of_emulator(end.text);
  return end;
}

void prove(bool set_up, const char *what) {
  if (!set_up) leave(3, "set-up fails", what);
}

void promised(bool holds, const char *what) {
  if (!holds) leave(1, "promise broken", what);
}

void leave_with(int status) { _exit(status); }

void say(const char *text) { (void)!write(STDERR_FILENO, text, std::strlen(text)); }

void skip(const char *why) { leave(77, "skipped", why); }

bool set_variable(const char *name, const char *value) { return setenv(name, value, 1) == 0; }

std::vector<int> fatal_signals() { return {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT}; }

void cause(int number) {
  if (number == SIGABRT) std::abort();
  (void)raise(number);
}

scenario::scenario(const char *name, void (*body)()) : name_(name), body_(body), next_(first_scenario) {
  first_scenario = this;
}

ending scenario::run() const {
  return in_child([this] {
    start_afresh(scenario_flag, name_);
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
