// filter.cc - filters as the kernel takes them: programs of the classic BPF (seccomp(2)).
#include "filter.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

namespace {

sock_filter statement(unsigned code, unsigned value) { return {static_cast<unsigned short>(code), 0, 0, value}; }

}  // namespace

verdict verdict::allow() { return {SECCOMP_RET_ALLOW}; }
verdict verdict::refuse(int error) { return {SECCOMP_RET_ERRNO | static_cast<unsigned>(error)}; }
verdict verdict::kill() { return {SECCOMP_RET_KILL_PROCESS}; }

std::vector<long> system_service() {
  return {
#include "system_service.inc"
  };
}

bool filter_calls(std::span<const long> listed, verdict of_those, verdict of_others) {
  std::vector<sock_filter> code = {statement(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr))};
  for (const long number : listed) {
    code.push_back({BPF_JMP | BPF_JEQ | BPF_K, 0, 1, static_cast<unsigned>(number)});
    code.push_back(statement(BPF_RET | BPF_K, of_those.action));
  }
  code.push_back(statement(BPF_RET | BPF_K, of_others.action));
  const sock_fprog program = {static_cast<unsigned short>(code.size()), code.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}
