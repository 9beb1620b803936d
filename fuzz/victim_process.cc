// victim_process.cc - fork, signals, standard error in a file that lives in memory, and the judgement of a death.
#include "fuzz/victim_process.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "fuzz/coverage.h"
#include "fuzz/target.h"

namespace lockfast::fuzz {

namespace {

constexpr unsigned seconds_to_live = 20;
constexpr int ways_to_die[] = {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGTRAP, SIGFPE};

const std::uint8_t* volatile touched;  // the byte that is being touched, in the child

struct common_ground {
  volatile bool harm_began;  // set by the child, read by the parent
  int words;                 // the file that is the child's standard error
};

common_ground& ground() {
  static common_ground* const shared = [] {
    void* page = mmap(nullptr, sizeof(common_ground), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    const int file = memfd_create("words", MFD_CLOEXEC);
    if (page == MAP_FAILED || file < 0) disagree("no memory to share with a child: %s", std::strerror(errno));
    share_coverage();
    return new (page) common_ground{false, file};
  }();
  return *shared;
}

void on_signal(int number, siginfo_t* info, void*) {
  publish_coverage();
  const bool fault = info->si_code > 0 && (number == SIGSEGV || number == SIGBUS);
  if (fault && touched != nullptr && info->si_addr == touched) _exit(static_cast<int>(outcome::trapped));
  signal(number, SIG_DFL);
  raise(number);
}

void become_victim() {
  restart_coverage();
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  struct sigaction action{};
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_NODEFER;
  for (const int number : ways_to_die) sigaction(number, &action, nullptr);
  signal(SIGALRM, SIG_DFL);
  alarm(seconds_to_live);
  dup2(ground().words, STDERR_FILENO);
}

std::string read_words() {
  std::string words(static_cast<std::size_t>(lseek(ground().words, 0, SEEK_END)), ' ');
  if (pread(ground().words, words.data(), words.size(), 0) != static_cast<ssize_t>(words.size())) words.clear();
  return words;
}

bool one_line_of_ours(const std::string& words) {
  return words.starts_with("lockfast: ") && words.ends_with('\n') && std::ranges::count(words, '\n') == 1;
}

outcome judge(int status, const std::string& words) {
  if (WIFEXITED(status)) {
    const int code = WEXITSTATUS(status);
    const bool known = code >= static_cast<int>(outcome::clean) && code < static_cast<int>(outcome::lost);
    return known && words.empty() ? static_cast<outcome>(code) : outcome::lost;
  }
  if (!one_line_of_ours(words) || std::ranges::find(ways_to_die, WTERMSIG(status)) == std::end(ways_to_die))
    return outcome::lost;
  return ground().harm_began ? outcome::breached : outcome::control_failed;
}

}  // namespace

const char* name_of(outcome result) {
  switch (result) {
    case outcome::clean:
      return "clean";
    case outcome::trapped:
      return "trapped";
    case outcome::noticed:
      return "noticed";
    case outcome::breached:
      return "breached";
    case outcome::not_applicable:
      return "not applicable";
    case outcome::unnoticed:
      return "unnoticed";
    case outcome::set_up_refused:
      return "set-up refused";
    case outcome::control_failed:
      return "reported without harm";
    case outcome::wrong_answer:
      return "noticed with the wrong answer";
    case outcome::lost:
      return "died of something else";
  }
  return "?";
}

outcome run_in_child(const std::function<void()>& life, std::string& words) {
  ground().harm_began = false;
  if (ftruncate(ground().words, 0) != 0 || lseek(ground().words, 0, SEEK_SET) != 0) disagree("no file for words");
  const pid_t child = fork();
  if (child < 0) disagree("no child: %s", std::strerror(errno));
  if (child == 0) {
    become_victim();
    life();
    leave(outcome::unnoticed);
  }
  int status = 0;
  while (waitpid(child, &status, 0) != child)
    if (errno != EINTR) disagree("the child is gone: %s", std::strerror(errno));
  words = read_words();
  return judge(status, words);
}

void leave(outcome result) {
  publish_coverage();
  _exit(static_cast<int>(result));
}

void begin_harm() { ground().harm_began = true; }

void change(std::uint8_t* at, std::uint8_t flip) {
  volatile std::uint8_t* const byte = at;
  touched = at;
  *byte = static_cast<std::uint8_t>(*byte ^ flip);
  touched = nullptr;
}

void read(const std::uint8_t* at) {
  touched = at;
  static_cast<void>(*static_cast<const volatile std::uint8_t*>(at));
  touched = nullptr;
}

}  // namespace lockfast::fuzz
