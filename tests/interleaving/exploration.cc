// exploration.cc - the processes, and the order of schedules.
#include "tests/interleaving/exploration.h"

#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <new>

#include "support/patience.h"

namespace lockfast::interleaving {
namespace {

constexpr unsigned seconds_to_live = 20;

// What the processes share: a run's record, and what was found.
struct shared {
  record steps;
  std::size_t points = 0;
  std::size_t runs = 0;
  std::size_t left_out = 0;
  bool failed = false;
  std::array<preemption, 8> by;
  std::size_t by_count = 0;
  std::array<char, 4096> text;
};

class exploration {
 public:
  exploration(const scenario& of, shared& with, repeats of_others)
      : of_(of), with_(with), of_others_(of_others), errors_(memfd_create("errors", 0)) {
    if (errors_ < 0) wrong("no file for what runs say");
  }

  // Requires no thread in this process but the caller.
  void up_to(unsigned bound) {
    for (unsigned preemptions = 0; preemptions <= bound && !with_.failed; ++preemptions) {
      // A greater bound repeats what a smaller one tried.
      with_.runs = 0;
      with_.left_out = 0;
      schedule none;
      if (run(none)) continue_from(none, steps(), preemptions);
    }
  }

  bool run(const schedule& by) {
    ++with_.runs;
    if (ftruncate(errors_, 0) != 0 || lseek(errors_, 0, SEEK_SET) != 0) wrong("no file for what runs say");
    // Not fork(): the library's own handlers would make the run that of a forked child.
    const pid_t child = _Fork();
    if (child == 0) carry_out(by);
    if (child < 0) wrong("no process for a run");
    int state = 0;
    if (waitpid(child, &state, 0) != child) wrong("a run is lost");
    if (by.empty()) with_.points = with_.steps.count;
    if (ended_well(state)) return true;
    with_.failed = true;
    std::ranges::copy(by, with_.by.begin());
    with_.by_count = by.size();
    return false;
  }

  [[nodiscard]] std::vector<step> steps() const { return {with_.steps.steps, with_.steps.steps + with_.steps.count}; }

 private:
  // What the others did from the last preemption until the preempted thread went on, and how that ends.
  struct absence {
    std::size_t point = SIZE_MAX;
    std::vector<step> steps;
  };

  [[noreturn]] void carry_out(const schedule& by) {
    dup2(errors_, STDERR_FILENO);
    alarm(patience(seconds_to_live));
    // Passing the baton on within a processor takes a fraction of the time.
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET(static_cast<unsigned>(std::max(sched_getcpu(), 0)), &here);
    (void)sched_setaffinity(0, sizeof here, &here);
    interleaving::run(of_.threads, by, with_.steps, of_.ends);
    if (of_.verify != nullptr) of_.verify();
    _exit(0);
  }

  bool ended_well(int state) {
    std::array<char, 4096>& text = with_.text;
    const ssize_t size = pread(errors_, text.data(), text.size() - 100, 0);
    text[static_cast<std::size_t>(std::max<ssize_t>(size, 0))] = '\0';
    if (of_.dies_of != nullptr) {
      if (WIFSIGNALED(state) && std::strstr(text.data(), of_.dies_of) != nullptr) return true;
    } else if (WIFEXITED(state) && WEXITSTATUS(state) == 0) {
      return true;
    }
    char* const end = text.data() + std::strlen(text.data());
    if (WIFSIGNALED(state)) {
      std::snprintf(end, 100, "ended by signal %d\n", WTERMSIG(state));
    } else if (WEXITSTATUS(state) == 0) {
      std::snprintf(end, 100, "did not die of \"%.60s\"\n", of_.dies_of);
    }
    return false;
  }

  // Tries each further preemption of the run that took these steps, the last place first.
  void continue_from(schedule& by, const std::vector<step>& taken, unsigned preemptions) {
    if (preemptions == 0) return;
    const std::size_t begin = by.empty() ? 0 : by.back().point + 1;
    absence last[max_threads];
    for (std::size_t point = taken.size(); point-- > begin;) {
      const step& at = taken[point];
      for (unsigned thread = 0; thread < max_threads; ++thread) {
        if (thread == at.thread || (at.ready >> thread & 1) == 0) continue;
        absence& known = last[thread];
        const bool follows =
            of_others_ == repeats::left_out && known.point == point + 1 && taken[point + 1].thread == at.thread;
        if (follows && std::ranges::none_of(known.steps, [&](const step& other) { return depend(at, other); })) {
          ++with_.left_out;
          known.point = point;
          continue;
        }
        by.push_back({point, thread});
        if (!run(by)) return;
        const std::vector<step> steps_now = steps();
        known = absence_in(steps_now, point);
        continue_from(by, steps_now, preemptions - 1);
        if (with_.failed) return;
        by.pop_back();
      }
    }
  }

  [[nodiscard]] static bool depend(const step& one, const step& other) {
    return one.address == other.address && (one.how == touch::write || other.how == touch::write);
  }

  [[nodiscard]] static absence absence_in(const std::vector<step>& taken, std::size_t point) {
    absence made = {.point = point, .steps = {}};
    const unsigned preempted = taken[point].thread;
    // What each of the others was about to do when it stood still itself.
    bool seen[max_threads] = {};
    for (std::size_t at = point; at-- > 0;) {
      if (taken[at].thread == preempted || seen[taken[at].thread]) continue;
      seen[taken[at].thread] = true;
      made.steps.push_back(taken[at]);
    }
    for (std::size_t at = point + 1; at < taken.size() && taken[at].thread != preempted; ++at) made.steps.push_back(taken[at]);
    return made;
  }

  const scenario& of_;
  shared& with_;
  repeats of_others_;
  int errors_;
};

// Prepares the scenario in a process of its own, and explores there.
findings in_its_own_process(const scenario& of, repeats of_others, const std::function<void(exploration&)>& act) {
  void* const pages = mmap(nullptr, sizeof(shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) wrong("no memory to share with runs");
  auto* const with = new (pages) shared;
  std::fflush(nullptr);
  const pid_t child = fork();
  if (child == 0) {
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    for (const int number : {SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE, SIGTRAP, SIGALRM}) signal(number, SIG_DFL);
    setenv("LOCKFAST_OPTIONS", of.options, 1);
    if (of.prepare != nullptr) of.prepare();
    exploration one(of, *with, of_others);
    act(one);
    _exit(0);
  }
  int state = 0;
  if (child < 0 || waitpid(child, &state, 0) != child) wrong("no process for a scenario");
  findings found = {
      .points = with->points, .runs = with->runs, .left_out = with->left_out, .failed = with->failed, .by = {}, .text = {}};
  if (state != 0) {
    found.failed = true;
    found.text = "the preparation fails\n";
  } else if (found.failed) {
    found.by.assign(with->by.begin(), with->by.begin() + static_cast<std::ptrdiff_t>(with->by_count));
    found.text = with->text.data();
  }
  munmap(pages, sizeof(shared));
  return found;
}

}  // namespace

findings explore(const scenario& of, unsigned bound, repeats of_others) {
  return in_its_own_process(of, of_others, [=](exploration& one) { one.up_to(bound); });
}

findings replay(const scenario& of, const schedule& by) {
  return in_its_own_process(of, repeats::left_out, [&](exploration& one) {
    (void)one.run(by);
    for (const preemption& each : by) {
      const auto steps = one.steps();
      if (each.point >= steps.size()) continue;
      const step& at = steps[each.point];
      std::printf("point %zu: thread %u gives way to %u before it %s %#zx\n", each.point, at.thread, each.thread,
                  at.how == touch::write ? "writes" : "reads", at.address);
    }
    std::fflush(stdout);
  });
}

}  // namespace lockfast::interleaving
