// traced_calls.cc - ptrace, one stop for each call.
#include "traced_calls.h"

#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>

namespace {

constexpr long options =
    PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEFORK | PTRACE_O_TRACEVFORK | PTRACE_O_TRACECLONE | PTRACE_O_EXITKILL;

void note_call(pid_t process, std::map<long, std::size_t>& counts) {
  __ptrace_syscall_info stop = {};
  const auto size = static_cast<long>(sizeof stop);
  if (ptrace(PTRACE_GET_SYSCALL_INFO, process, size, &stop) > 0 && stop.op == PTRACE_SYSCALL_INFO_ENTRY) {
    ++counts[static_cast<long>(stop.entry.nr)];
  }
}

}  // namespace

traced_calls calls_of(const std::function<void()>& body) {
  traced_calls seen;
  const pid_t child = fork();
  if (child == 0) {
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(77);
    (void)raise(SIGSTOP);
    body();
    _exit(0);
  }
  int status = 0;
  if (waitpid(child, &status, 0) != child || !WIFSTOPPED(status)) return seen;
  (void)ptrace(PTRACE_SETOPTIONS, child, nullptr, options);
  (void)ptrace(PTRACE_SYSCALL, child, nullptr, nullptr);
  for (pid_t one = waitpid(-1, &status, __WALL); one > 0; one = waitpid(-1, &status, __WALL)) {
    if (one == child && !WIFSTOPPED(status)) seen.complete = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (!WIFSTOPPED(status)) continue;
    const int signal = WSTOPSIG(status);
    if (signal == (SIGTRAP | 0x80)) note_call(one, seen.counts);
    const bool ours = signal == (SIGTRAP | 0x80) || signal == SIGTRAP || signal == SIGSTOP;
    (void)ptrace(PTRACE_SYSCALL, one, nullptr, static_cast<long>(ours ? 0 : signal));
  }
  return seen;
}
