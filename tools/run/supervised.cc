#include "tools/run/supervised.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <iostream>

#include "tools/command.h"

namespace lockfast::tools {
namespace {

[[noreturn]] void become(const std::vector<std::string>& words, const std::vector<environment_change>& changes,
                         const sigset_t& mask, void (*on_child)(int), int failure) {
  for (const auto& [name, value] : changes) setenv(name.c_str(), value.c_str(), 1);
  std::vector<char*> arguments;
  arguments.reserve(words.size() + 1);
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  signal(SIGCHLD, on_child);
  pthread_sigmask(SIG_SETMASK, &mask, nullptr);
  execvp(arguments[0], arguments.data());
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(failure, &error, sizeof error);
  _exit(127);
}

// The signals of faults and those that nothing can hold up are not ours to pass on.
sigset_t passed_on() {
  sigset_t all;
  sigfillset(&all);
  for (const int own : {SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGTRAP, SIGABRT, SIGSYS, SIGKILL, SIGSTOP, SIGTTOU, SIGTTIN}) {
    sigdelset(&all, own);
  }
  return all;
}

// True once the program has ended.
bool has_ended(program_end& end) {
  int status = 0;
  while (waitpid(end.process, &status, WNOHANG | WUNTRACED) == end.process) {
    if (!WIFSTOPPED(status)) {
      end.status = status;
      return true;
    }
    // So that the shell sees the job stop; it continues the whole process group.
    raise(SIGSTOP);
  }
  return false;
}

}  // namespace

program_end supervise(const std::vector<std::string>& words, const std::vector<environment_change>& changes) {
  int failure[2];
  if (pipe2(failure, O_CLOEXEC) != 0) throw refusal("no pipe could be made; close descriptors and try again");
  // Inherited as ignored, it would take the program's status away. The program inherits it as it was.
  const auto on_child = signal(SIGCHLD, SIG_DFL);
  const sigset_t caught = passed_on();
  sigset_t before;
  pthread_sigmask(SIG_BLOCK, &caught, &before);
  std::cout.flush();
  program_end end;
  end.process = fork();
  if (end.process < 0) throw refusal("no process could be started; the limit on processes is reached (ulimit -u)");
  if (end.process == 0) become(words, changes, before, on_child, failure[1]);
  close(failure[1]);
  if (read(failure[0], &end.start_error, sizeof end.start_error) != sizeof end.start_error) end.start_error = 0;
  close(failure[0]);

  while (!has_ended(end)) {
    siginfo_t info;
    const int number = sigwaitinfo(&caught, &info);
    if (number < 0 || number == SIGCHLD) continue;
    // A terminal and a shell's job control send to the process group, in which the program is.
    const bool sent_by_process = info.si_code == SI_USER || info.si_code == SI_QUEUE || info.si_code == SI_TKILL;
    if (!sent_by_process) continue;
    if (info.si_code == SI_QUEUE) {
      sigqueue(end.process, number, info.si_value);
    } else {
      kill(end.process, number);
    }
  }
  return end;
}

void end_alike(int status) {
  std::cout.flush();
  std::cerr.flush();
  if (!WIFSIGNALED(status)) std::_Exit(WEXITSTATUS(status));
  const int number = WTERMSIG(status);
  const rlimit none{0, 0};
  setrlimit(RLIMIT_CORE, &none);
  signal(number, SIG_DFL);
  sigset_t only;
  sigemptyset(&only);
  sigaddset(&only, number);
  pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
  raise(number);
  std::_Exit(128 + number);
}

}  // namespace lockfast::tools
