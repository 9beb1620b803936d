// fork_bench.cc - what does a fork cost a program that has 2,000 or 15,000 live secrets of 32 bytes, closed or open?
//
// A process for each run, the subjects in turn. It forks a child that opens and reads one secret and exits, and then one that runs
// another program. "bare" makes the calls that a private copy in RAM needs for each open secret, and no more. Under fork=absent the
// child reads nothing.
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "bench/bare_pages.h"
#include "bench/subject.h"
#include "bench/table.h"
#include "bench/worker.h"

namespace lockfast::bench {
namespace {

constexpr std::size_t secret_size = 32;
constexpr std::size_t counts[] = {2'000, bare_count};
constexpr int rounds = 3;
constexpr int forks_of_a_process = 3;

using secrets = std::vector<void*>;

enum class child_does : unsigned char { reads, nothing };
enum class held : unsigned char { closed, open };
constexpr const char* name_of(held state) { return state == held::closed ? "closed" : "open"; }

pid_t fork_alone(const secrets& /*all*/) { return fork(); }

struct forking {
  subject of;
  child_does child = child_does::reads;
  bool only_open = false;
  pid_t (*fork)(const secrets&) = fork_alone;  // after which the child has a copy of each secret
};

// In seconds, from before the fork: until it returns in the parent, until a child that read is gone, until one that runs another
// program does so; and the processor's time of the first two, of parent and child together.
struct times_of_fork {
  double parent;
  double child;
  double exec;
  double processor;
};

// ---- The least that the promise needs -----------------------------------------------------------------------------------------

// One copy of all pages before the fork, each of which the child moves to its place and keeps from its own children.
pid_t fork_bare_hidden(const secrets& all) {
  std::byte* const copy = map_hidden(all.size());
  for (std::size_t at = 0; at < all.size(); ++at) std::memcpy(copy + at * page(), page_of(all[at], secret_size), page());
  const pid_t child = fork();
  if (child != 0) {
    (void)munmap(copy, all.size() * page());
    return child;
  }
  for (std::size_t at = 0; at < all.size(); ++at) {
    void* const place = page_of(all[at], secret_size);
    if (mremap(copy + at * page(), page(), page(), MREMAP_MAYMOVE | MREMAP_FIXED, place) != place ||
        madvise(place, page(), MADV_DONTFORK) != 0) {
      give_up("mremap");
    }
  }
  return child;
}

// A lock is not inherited; it also makes the page the child's own.
pid_t fork_bare_locked(const secrets& all) {
  const pid_t child = fork();
  if (child != 0) return child;
  for (void* const each : all) {
    if (mlock(page_of(each, secret_size), page()) != 0) give_up("mlock");
  }
  return child;
}

// ---- One run ------------------------------------------------------------------------------------------------------------------

double now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

double processor_time() {
  double sum = 0;
  for (const int who : {RUSAGE_SELF, RUSAGE_CHILDREN}) {
    rusage used;
    getrusage(who, &used);
    for (const timeval& each : {used.ru_utime, used.ru_stime}) sum += static_cast<double>(each.tv_sec) + 1e-6 * static_cast<double>(each.tv_usec);
  }
  return sum;
}

void wait_for(pid_t child) {
  int state = 0;
  if (waitpid(child, &state, 0) != child || !WIFEXITED(state) || WEXITSTATUS(state) != 0) give_up("a child died");
}

void read_one(const forking& by, void* secret, held state) {
  if (by.child == child_does::nothing) return;
  if (state == held::closed && by.of.readwrite(secret) != 0) give_up("readwrite");
  (void)*static_cast<volatile unsigned char*>(secret);
}

void fork_to_read(const forking& by, const secrets& all, held state, times_of_fork& taken) {
  const double used = processor_time();
  const double begin = now();
  const pid_t child = by.fork(all);
  if (child < 0) give_up("fork");
  if (child == 0) {
    read_one(by, all[all.size() / 2], state);
    _exit(0);
  }
  taken.parent = now() - begin;
  wait_for(child);
  taken.child = now() - begin;
  taken.processor = processor_time() - used;
}

// The end of a pipe that is closed at exec says when the child has come so far.
void fork_to_exec(const forking& by, const secrets& all, times_of_fork& taken) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) give_up("pipe2");
  const double begin = now();
  const pid_t child = by.fork(all);
  if (child < 0) give_up("fork");
  if (child == 0) {
    execl("/bin/true", "true", static_cast<char*>(nullptr));
    _exit(1);
  }
  (void)close(ends[1]);
  char none = 0;
  if (read(ends[0], &none, 1) != 0) give_up("read");
  taken.exec = now() - begin;
  (void)close(ends[0]);
  wait_for(child);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

constexpr double times_of_fork::* columns[] = {&times_of_fork::parent, &times_of_fork::child, &times_of_fork::exec,
                                               &times_of_fork::processor};

times_of_fork medians(const std::vector<times_of_fork>& all) {
  times_of_fork middle{};
  for (const auto column : columns) {
    std::vector<double> values;
    for (const times_of_fork& each : all) values.push_back(each.*column);
    middle.*column = median(values);
  }
  return middle;
}

struct request {
  std::size_t count;
  held state;
};

times_of_fork run(const forking& by, const request& asked) {
  secrets all(asked.count);
  for (void*& each : all) {
    each = by.of.allocate(secret_size);
    if (each == nullptr) give_up("an allocation was refused");
    touch(each, secret_size);
  }
  for (void* const each : all) {
    if (asked.state == held::closed && by.of.noaccess(each) != 0) give_up("noaccess");
  }
  std::vector<times_of_fork> taken(forks_of_a_process);
  for (times_of_fork& each : taken) {
    fork_to_read(by, all, asked.state, each);
    fork_to_exec(by, all, each);
  }
  return medians(taken);
}

// ---- The tables ---------------------------------------------------------------------------------------------------------------

// libsodium says nothing where a lock fails: what it measures is then another thing. Root without the right to raise the limit may
// have that to lock beyond it.
void raise_lock_limit() {
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  (void)setrlimit(RLIMIT_MEMLOCK, &none);
  const std::size_t size = bare_count * page();
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) give_up("mmap");
  if (mlock(mapped, size) != 0) {
    std::fprintf(stderr, "bench: the lock limit is too low: beyond it libsodium's secrets are unlocked, and ours are sealed\n");
  }
  (void)munmap(mapped, size);
}

std::vector<forking> all_subjects() {
  std::vector<forking> all;
  for (const subject& each : libsodium()) all.push_back({.of = each});
  const bool hides = has_hidden_memory();
  if (!hides) std::fprintf(stderr, "bench: no hidden memory here: it is left out\n");
  constexpr struct {
    lockfast_fork policy;
    const char* name;
  } policies[] = {{LOCKFAST_FORK_INHERIT, "inherit"}, {LOCKFAST_FORK_WIPE, "wipe"}, {LOCKFAST_FORK_ABSENT, "absent"}};
  for (const bool hidden : {true, false}) {
    if (hidden && !hides) continue;
    const std::string backing = hidden ? "hidden" : "locked";
    for (const auto& each : policies) {
      lockfast_options options{};
      options.hidden = hidden ? LOCKFAST_HIDDEN_ON : LOCKFAST_HIDDEN_OFF;
      options.fork = each.policy;
      all.push_back({.of = lockfast_with("ours, " + backing + ", " + each.name, options),
                     .child = each.policy == LOCKFAST_FORK_ABSENT ? child_does::nothing : child_does::reads});
    }
    all.push_back({.of = hidden ? bare_hidden() : bare_locked(), .only_open = true, .fork = hidden ? fork_bare_hidden : fork_bare_locked});
  }
  return all;
}

void measure(const std::vector<forking>& all, const request& asked) {
  std::vector<std::vector<times_of_fork>> runs(all.size());
  for (int round = 0; round < rounds; ++round) {
    for (std::size_t which = 0; which < all.size(); ++which) {
      const forking& by = all[which];
      if (by.only_open && asked.state == held::closed) continue;
      worker<request, times_of_fork> process(by.of.prepare, [&by](const request& each) { return run(by, each); });
      runs[which].push_back(process.ask(asked));
    }
  }
  std::printf("\n%zu %s secrets\n\n", asked.count, name_of(asked.state));
  table shown({"", "fork", "child gone", "of first's", "exec", "of first's", "processor", "of first's"});
  const times_of_fork first = medians(runs.front());
  for (std::size_t which = 0; which < all.size(); ++which) {
    if (runs[which].empty()) continue;
    const times_of_fork middle = medians(runs[which]);
    shown.add({all[which].of.name, duration(middle.parent * 1e9), duration(middle.child * 1e9), ratio(middle.child / first.child),
               duration(middle.exec * 1e9), ratio(middle.exec / first.exec), duration(middle.processor * 1e9),
               ratio(middle.processor / first.processor)});
  }
  shown.print();
}

}  // namespace
}  // namespace lockfast::bench

int main() {
  using namespace lockfast::bench;
  raise_lock_limit();
  const std::vector<forking> all = all_subjects();
  std::printf("One fork with live secrets of %zu B: medians of %d interleaved runs. fork: until it returns in the parent. child gone: until a\n"
              "child has read a secret and ended. exec: until a child runs another program. processor: of parent and child that read.\n",
              secret_size, rounds);
  for (const std::size_t count : counts) {
    for (const held state : {held::closed, held::open}) measure(all, {count, state});
  }
}
