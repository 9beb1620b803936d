#include "tools/vault/coprocess.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <utility>

#include "tools/command.h"

namespace lockfast::tools {
namespace {

struct pipe_ends {
  pipe_ends() {
    int made[2];
    if (pipe2(made, O_CLOEXEC) != 0) throw refusal("no pipe could be made; close descriptors and try again");
    read = made[0];
    write = made[1];
  }
  pipe_ends(const pipe_ends&) = delete;
  pipe_ends& operator=(const pipe_ends&) = delete;
  ~pipe_ends() {
    if (read >= 0) close(read);
    if (write >= 0) close(write);
  }

  int read, write;
};

// Between fork and exec, so by system calls alone. The descriptor for a failure is closed by exec.
[[noreturn]] void become(char* const* words, int input, int output, int failure, pid_t parent) {
  // Lest it go on asking for nobody.
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);
  // Where a standard stream was closed, these may have its number.
  const int beyond = 3;
  const int from = fcntl(input, F_DUPFD_CLOEXEC, beyond), to = fcntl(output, F_DUPFD_CLOEXEC, beyond);
  const int tells = fcntl(failure, F_DUPFD_CLOEXEC, beyond);
  if (from >= 0 && to >= 0 && tells >= 0 && dup2(from, STDIN_FILENO) >= 0 && dup2(to, STDOUT_FILENO) >= 0) {
    const int limit = static_cast<int>(std::min(sysconf(_SC_OPEN_MAX), 65536L));
    if (close_range(beyond, ~0U, CLOSE_RANGE_CLOEXEC) != 0) {
      for (int each = beyond; each < limit; ++each) fcntl(each, F_SETFD, FD_CLOEXEC);
    }
    execvp(words[0], words);
  }
  const int error = errno;
  [[maybe_unused]] const ssize_t written = write(tells, &error, sizeof error);
  _exit(127);
}

}  // namespace

coprocess::coprocess(const std::string& program) {
  pipe_ends input, output, failure;
  std::string name = program;
  char* const words[] = {name.data(), nullptr};
  const pid_t parent = getpid();
  process_ = fork();
  if (process_ == 0) become(words, input.read, output.write, failure.write, parent);
  if (process_ < 0) throw refusal("no process could be started; the limit on processes is reached (ulimit -u)");
  pipe_signal_ = signal(SIGPIPE, SIG_IGN);
  close(std::exchange(failure.write, -1));
  ssize_t told = 0;
  do {
    told = read(failure.read, &start_error_, sizeof start_error_);
  } while (told < 0 && errno == EINTR);
  if (told != sizeof start_error_) start_error_ = 0;
  to_ = std::exchange(input.write, -1);
  from_ = std::exchange(output.read, -1);
}

bool coprocess::end() {
  if (process_ <= 0) return true;
  close(to_);
  close(from_);
  const bool by_itself = ends_within_a_second();
  if (!by_itself) {
    kill(process_, SIGTERM);
    kill(process_, SIGCONT);
    if (!ends_within_a_second()) {
      kill(process_, SIGKILL);
      waitpid(process_, nullptr, 0);
    }
  }
  process_ = 0;
  signal(SIGPIPE, pipe_signal_);
  return by_itself;
}

bool coprocess::say(std::string_view text) {
  while (!text.empty()) {
    const ssize_t done = write(to_, text.data(), text.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) return false;
    text.remove_prefix(static_cast<std::size_t>(done));
  }
  return true;
}

bool coprocess::answers_within(int milliseconds) const {
  pollfd output{from_, POLLIN, 0};
  int ready = 0;
  do {
    ready = poll(&output, 1, milliseconds);
  } while (ready < 0 && errno == EINTR);
  return ready != 0;
}

bool coprocess::ends_within_a_second() const {
  constexpr int tries = 100;
  for (int at = 0; at < tries; ++at) {
    // -1: somebody else has its status, since SIGCHLD is ignored.
    if (waitpid(process_, nullptr, WNOHANG) != 0) return true;
    usleep(10000);
  }
  return false;
}

}  // namespace lockfast::tools
