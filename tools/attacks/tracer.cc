// tracer.cc - ptrace(2). A call is made by putting the instruction for it where the process stands, for one step.
#include "tools/attacks/tracer.h"

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>

#include "tools/attacks/pages.h"

namespace lockfast::attacks {

tracer::tracer(pid_t process) : process_(process) {
  if (ptrace(PTRACE_ATTACH, process, nullptr, nullptr) != 0) return;
  int state = 0;
  attached_ = waitpid(process, &state, __WALL) == process && WIFSTOPPED(state);
}

tracer::~tracer() {
  if (attached_) ptrace(PTRACE_DETACH, process_, nullptr, nullptr);
}

#if defined(__x86_64__)
bool can_make_calls() { return true; }

long call_in(pid_t process, long number, const call_arguments& arguments) {
  user_regs_struct before;
  siginfo_t pending;
  if (ptrace(PTRACE_GETREGS, process, nullptr, &before) != 0) return -ESRCH;
  const bool by_signal = ptrace(PTRACE_GETSIGINFO, process, nullptr, &pending) == 0;
  auto* const place = reinterpret_cast<void*>(before.rip);
  errno = 0;
  const long code = ptrace(PTRACE_PEEKTEXT, process, place, nullptr);
  if (errno != 0) return -errno;
  constexpr long call_instruction = 0x050f;
  if (ptrace(PTRACE_POKETEXT, process, place, (code & ~0xffffL) | call_instruction) != 0) return -errno;

  user_regs_struct during = before;
  during.rax = static_cast<unsigned long>(number);
  during.orig_rax = ~0UL;  // no call to be restarted
  during.rdi = arguments[0];
  during.rsi = arguments[1];
  during.rdx = arguments[2];
  during.r10 = arguments[3];
  during.r8 = arguments[4];
  during.r9 = arguments[5];
  long answer = -ESRCH;
  int state = 0;
  if (ptrace(PTRACE_SETREGS, process, nullptr, &during) == 0 && ptrace(PTRACE_SINGLESTEP, process, nullptr, nullptr) == 0 &&
      waitpid(process, &state, __WALL) == process && WIFSTOPPED(state) &&
      ptrace(PTRACE_GETREGS, process, nullptr, &during) == 0) {
    answer = static_cast<long>(during.rax);
  }
  ptrace(PTRACE_POKETEXT, process, place, code);
  ptrace(PTRACE_SETREGS, process, nullptr, &before);
  if (by_signal) ptrace(PTRACE_SETSIGINFO, process, nullptr, &pending);
  return answer;
}
#else
bool can_make_calls() { return false; }
long call_in(pid_t, long, const call_arguments&) { return -ENOSYS; }
#endif

long open_in(pid_t process, const void* address) {
  const call_arguments with_no_key = {address_of(page_of(address)), page_size(), PROT_READ | PROT_WRITE, 0};
  const long answer = call_in(process, SYS_pkey_mprotect, with_no_key);
  return answer == 0 ? answer : call_in(process, SYS_mprotect, with_no_key);
}

long write_out(pid_t process, const void* address, void* to, std::size_t size, tap through) {
  const long answer = call_in(process, SYS_write,
                              {static_cast<unsigned long>(through.its_end), reinterpret_cast<unsigned long>(address), size});
  if (answer <= 0) return answer;
  return read(through.our_end, to, static_cast<std::size_t>(answer));
}

}  // namespace lockfast::attacks
