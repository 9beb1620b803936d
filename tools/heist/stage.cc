#include "tools/heist/stage.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <new>

namespace lockfast::tools {
namespace {

constexpr unsigned patience = 20;  // seconds

// Memory that a child and its parent share.
class shared_room {
 public:
  explicit shared_room(std::size_t size)
      : size_(size), at_(mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)) {
    if (at_ == MAP_FAILED) throw std::bad_alloc();
  }
  ~shared_room() { munmap(at_, size_); }
  shared_room(const shared_room&) = delete;
  shared_room& operator=(const shared_room&) = delete;
  void* at() const { return at_; }

 private:
  std::size_t size_;
  void* at_;
};

[[noreturn]] void enact(const std::function<void(stage&)>& body, stage& on, int errors) {
  for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGALRM, SIGPIPE}) std::signal(number, SIG_DFL);
  rlimit cores{};
  if (getrlimit(RLIMIT_CORE, &cores) == 0) {
    cores.rlim_cur = 0;  // an attack that wants a core raises it again
    (void)setrlimit(RLIMIT_CORE, &cores);
  }
  (void)dup2(errors, STDERR_FILENO);
  alarm(patience);
  try {
    body(on);
    on.not_tried("it came to no end");
  } catch (const std::exception& fault) {
    on.not_tried(fault.what());
  }
}

// What ends a process that touches what it must not, or that an allocator catches. Any other signal came from elsewhere: from a user, or
// from a kernel short of memory.
bool is_trap(int signal) { return signal == SIGSEGV || signal == SIGBUS || signal == SIGABRT || signal == SIGILL; }

std::string first_line(int from) {
  std::array<char, 256> text;
  const ssize_t size = read(from, text.data(), text.size());
  const std::string whole(text.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return whole.substr(0, whole.find('\n'));
}

}  // namespace

const char* name_of(result is) {
  switch (is) {
    case result::held: return "held";
    case result::fell: return "fell";
    case result::not_tried: break;
  }
  return "not tried";
}

void stage::note(std::string_view how) {
  const std::size_t size = std::min(how.size(), sizeof how_ - 1);
  std::memcpy(how_, how.data(), size);
  how_[size] = 0;
}

void stage::held_by_death(std::string_view how) {
  note(how);
  begun_ = true;
}

void stage::end(result is, std::string_view how) {
  if (!over_) {
    note(how);
    is_ = is;
    over_ = true;
  }
  _exit(0);
}

void stage::held(std::string_view how) { end(result::held, how); }
void stage::fell(std::string_view how) { end(result::fell, how); }
void stage::not_tried(std::string_view why) { end(result::not_tried, why); }

outcome attempt(const std::function<void(stage&)>& body) {
  const shared_room room(sizeof(stage));
  auto& on = *new (room.at()) stage;
  int line[2];
  if (pipe2(line, O_CLOEXEC | O_NONBLOCK) != 0) return {result::not_tried, std::string("no pipe: ") + std::strerror(errno), ""};
  const pid_t child = fork();
  if (child == 0) enact(body, on, line[1]);
  int status = 0;
  // A stopped child would never come to its alarm.
  while (child > 0 && (waitpid(child, &status, WUNTRACED) < 0 ? errno == EINTR : WIFSTOPPED(status))) {
    if (WIFSTOPPED(status)) (void)kill(child, SIGKILL);
  }
  outcome ended{on.is_, on.how_, first_line(line[0])};
  close(line[0]);
  close(line[1]);
  if (child < 0) return {result::not_tried, "no process could be started", ""};
  if (on.over_) return ended;
  ended.is = on.begun_ && WIFSIGNALED(status) && is_trap(WTERMSIG(status)) ? result::held : result::not_tried;
  if (ended.is == result::not_tried) {
    const int signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
    ended.how = signal == SIGALRM          ? "it took too long"
                : on.begun_ && signal != 0 ? "it was ended by signal " + std::to_string(signal)
                                           : "it could not be set up";
    if (!ended.said.empty()) ended.how += ": " + ended.said;
  }
  return ended;
}

}  // namespace lockfast::tools
