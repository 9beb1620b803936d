// processor.cc - the processors that the program was allowed when it first asked.
#include "bench/processor.h"

#include <sched.h>

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

}  // namespace

void use_processor(std::size_t number) {
  static const std::vector<int> processors = allowed();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(processors[number % processors.size()]), &set);
  if (sched_setaffinity(0, sizeof set, &set) != 0) give_up("sched_setaffinity");
}

}  // namespace lockfast::bench
