// signal_test.cc - signals that a write raises, of which the process would die: SIGPIPE and SIGXFSZ.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#if __has_include(<linux/seccomp.h>)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#endif

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <future>
#include <thread>

#include "support/child.h"
#include "support/sanitized.h"

namespace {

void break_canary() {
  auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
  prove(secret != nullptr, "a secret");
  secret[-1] ^= 1;
  lockfast_free(secret);
}

void limit_files_to(rlim_t size) {
  const rlimit limit = {.rlim_cur = size, .rlim_max = RLIM_INFINITY};
  prove(setrlimit(RLIMIT_FSIZE, &limit) == 0, "the limit on the size of files");
}

}  // namespace

TEST_CASE("a breach ends the process by its own signal when nobody reads standard error") {
  const auto end = in_child([] {
    int ends[2];
    prove(pipe(ends) == 0 && dup2(ends[1], STDERR_FILENO) == STDERR_FILENO, "a pipe");
    close(ends[0]);
    break_canary();
  });
  CHECK(end.signal == SIGABRT);
}

TEST_CASE("a breach ends the process by its own signal when standard error is a file that may not grow") {
  const auto end = in_child([] {
    char path[] = "/tmp/lockfast-test-XXXXXX";
    const int full = mkstemp(path);
    prove(full >= 0 && unlink(path) == 0 && dup2(full, STDERR_FILENO) == STDERR_FILENO, "a file");
    limit_files_to(0);
    break_canary();
  });
  CHECK(end.signal == SIGABRT);
}

TEST_CASE("secrets are had where no file may grow, and a signal that waited already goes on waiting") {
  const auto end = in_child([] {
    static volatile sig_atomic_t calls;
    signal(SIGXFSZ, [](int) { calls = calls + 1; });
    limit_files_to(0);
    for (int each = 0; each < 100; ++each) {
      void* const isolated = lockfast_malloc_isolated(32);
      void* const grouped = lockfast_malloc(32);
      promised(isolated != nullptr && grouped != nullptr, "both kinds");
    }
    promised(calls == 0, "no signal was delivered");
    sigset_t one;
    sigemptyset(&one);
    sigaddset(&one, SIGXFSZ);
    sigprocmask(SIG_BLOCK, &one, nullptr);
    raise(SIGXFSZ);
    promised(lockfast_malloc_isolated(9000) != nullptr, "a secret of another size");
    sigset_t waits;
    promised(sigpending(&waits) == 0 && sigismember(&waits, SIGXFSZ) == 1, "the program's own signal still waits");
    sigprocmask(SIG_UNBLOCK, &one, nullptr);
    promised(calls == 1, "and is delivered once");
  });
  CAPTURE(end.text);
  CHECK(end.clean());
}

#if __has_include(<linux/seccomp.h>) && defined(SECCOMP_RET_USER_NOTIF)
TEST_CASE("a breach's line is whole on a descriptor that takes a few bytes at a time") {
  if (under_tsan) return;  // which may write by itself
  const auto end = in_child([] {
    auto* const secret = static_cast<char*>(lockfast_malloc_isolated(32));
    prove(secret != nullptr, "a secret");
    std::promise<int> writes;
    // Makes seven bytes of each write of the other thread, and answers so.
    std::thread([asked = writes.get_future()]() mutable {
      const int listener = asked.get();
      for (;;) {
        seccomp_notif call = {};
        // musl's ioctl takes an int, glibc's an unsigned long.
        if (syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_RECV, &call) != 0) continue;
        const auto* const bytes = reinterpret_cast<const char*>(call.data.args[1]);
        const auto size = static_cast<std::size_t>(std::min<std::uint64_t>(call.data.args[2], 7));
        seccomp_notif_resp answer = {.id = call.id, .val = write(STDERR_FILENO, bytes, size), .error = 0, .flags = 0};
        (void)syscall(SYS_ioctl, listener, SECCOMP_IOCTL_NOTIF_SEND, &answer);
      }
    }).detach();
    sock_filter program[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
                             BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_write, 0, 1),
                             BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    const sock_fprog filter = {static_cast<unsigned short>(sizeof program / sizeof *program), program};
    prove(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new rights");
    const auto listener =
        static_cast<int>(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_NEW_LISTENER, &filter));
    if (listener < 0) skip("no calls are told of");
    writes.set_value(listener);
    secret[-1] ^= 1;
    lockfast_free(secret);
  });
  if (end.skipped()) return;
  CHECK(end.signal == SIGABRT);
  CHECK(end.text == "lockfast: broken canary: bytes beside a secret were changed\n");
}
#endif
