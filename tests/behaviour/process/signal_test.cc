// signal_test.cc - signals that a write raises, of which the process would die: SIGPIPE and SIGXFSZ.
#include <doctest/doctest.h>
#include <lockfast/lockfast.h>

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include "support/child.h"

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
