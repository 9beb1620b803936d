// traced_child.cc - ptrace(2), from the child's first instruction on.
#include "traced_child.h"

#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>

#include "support/patience.h"

namespace {

#if defined(__x86_64__)
// At the entry to a call: has the kernel make none, and stops behind it.
void leave_out_call(pid_t process) {
  user_regs_struct registers;
  int state = 0;
  if (ptrace(PTRACE_GETREGS, process, nullptr, &registers) != 0) return;
  registers.orig_rax = ~0UL;
  if (ptrace(PTRACE_SETREGS, process, nullptr, &registers) != 0) return;
  if (ptrace(PTRACE_SYSCALL, process, nullptr, nullptr) == 0) waitpid(process, &state, __WALL);
}

// The same, and the process sees that the call succeeded.
void pretend_call(pid_t process) {
  leave_out_call(process);
  user_regs_struct registers;
  if (ptrace(PTRACE_GETREGS, process, nullptr, &registers) != 0) return;
  registers.rax = 0;
  (void)ptrace(PTRACE_SETREGS, process, nullptr, &registers);
}
#else
void leave_out_call(pid_t) {}
void pretend_call(pid_t) {}
#endif

}  // namespace

int trace_child(const std::function<void()>& body, const happenings& on) {
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child < 0) return -1;
  if (child == 0) {
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTERM}) std::signal(number, SIG_DFL);
    alarm(patience(120));
    if (ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) _exit(3);
    (void)std::raise(SIGSTOP);
    body();
    _exit(0);
  }
  int state = 0;
  if (waitpid(child, &state, 0) != child || !WIFSTOPPED(state)) return -1;
  ptrace(PTRACE_SETOPTIONS, child, nullptr, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL);
  constexpr int call_stop = SIGTRAP | 0x80;
  int deliver = 0;
  while (ptrace(PTRACE_SYSCALL, child, nullptr, deliver) == 0 && waitpid(child, &state, 0) == child && WIFSTOPPED(state)) {
    deliver = 0;
    if (WSTOPSIG(state) != call_stop) {
      deliver = WSTOPSIG(state);
      on.before_signal(child, deliver);
      continue;
    }
    struct __ptrace_syscall_info call;
    if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof call, &call) <= 0 || call.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
    const auto number = static_cast<long>(call.entry.nr);
    call_arguments arguments;
    for (std::size_t at = 0; at < arguments.size(); ++at) arguments[at] = call.entry.args[at];
    on.before_call(child, number, arguments);
    if (on.pretends(number, arguments)) pretend_call(child);
    if (number != SYS_exit_group) continue;
    leave_out_call(child);
    on.instead_of_exit(child);
    kill(child, SIGKILL);
    waitpid(child, &state, 0);
    return 0;
  }
  return WIFSIGNALED(state) ? WTERMSIG(state) : -1;
}
