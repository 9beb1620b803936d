// processor.cc - the processors that the program was allowed when it first asked, and what /proc says of who used them.
#include "bench/processor.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <limits>
#include <string>
#include <vector>

#include "bench/subject.h"

namespace lockfast::bench {
namespace {

std::vector<int> allowed() {
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) != 0) give_up("sched_getaffinity");
  std::vector<int> found;
  for (int index = CPU_SETSIZE - 1; index >= 0; --index) {
    if (CPU_ISSET(static_cast<std::size_t>(index), &set)) found.push_back(index);
  }
  return found;
}

// The ticks that a process has run for, when it is ours: pid itself or its child; else 0.
double ticks_of(const std::filesystem::path& process, pid_t pid) {
  std::ifstream in(process / "stat");
  in.ignore(std::numeric_limits<std::streamsize>::max(), ')');  // the name, which may hold spaces
  char state = 0;
  pid_t parent = 0;
  if (!(in >> state >> parent)) return 0;  // it ended meanwhile
  if (parent != pid && process.filename() != std::to_string(pid)) return 0;
  constexpr int fields_between = 9;  // proc(5): from the parent to utime and stime
  std::string skipped;
  for (int field = 0; field < fields_between; ++field) in >> skipped;
  double user = 0;
  double system = 0;
  in >> user >> system;
  return user + system;
}

}  // namespace

other_work::ticks other_work::now() {
  ticks result{};
  std::ifstream in("/proc/stat");
  std::string cpu;
  double user = 0;
  double nice = 0;
  double system = 0;
  double idle = 0;
  double waiting = 0;
  double interrupts = 0;
  double soft_interrupts = 0;
  double stolen = 0;
  if (!(in >> cpu >> user >> nice >> system >> idle >> waiting >> interrupts >> soft_interrupts >> stolen)) {
    give_up("/proc/stat");
  }
  result.busy = user + nice + system + interrupts + soft_interrupts + stolen;
  result.all = result.busy + idle + waiting;
  const auto is_number = [](const std::string& name) {
    return std::ranges::all_of(name, [](char c) { return c >= '0' && c <= '9'; });
  };
  for (const auto& entry : std::filesystem::directory_iterator("/proc")) {
    if (is_number(entry.path().filename())) result.ours += ticks_of(entry.path(), getpid());
  }
  return result;
}

other_work::other_work() : before_(now()) {}

double other_work::share() const {
  const ticks after = now();
  const double others = (after.busy - before_.busy) - (after.ours - before_.ours);
  return std::clamp(others / (after.all - before_.all), 0.0, 1.0);
}

void use_processor(std::size_t number) {
  static const std::vector<int> processors = allowed();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processors[number % processors.size()]), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("sched_setaffinity");
}

}  // namespace lockfast::bench
