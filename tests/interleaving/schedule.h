// schedule.h - where threads are preempted, and by which: a run's name.
//
// As text: "12>1,40>0": before point 12 the thread that runs gives way to thread 1, before point 40 to thread 0. Points are
// counted from the start of the run. Without preemptions thread 0 goes on until it ends or must wait, then the next one.
#ifndef LOCKFAST_TESTS_INTERLEAVING_SCHEDULE_H
#define LOCKFAST_TESTS_INTERLEAVING_SCHEDULE_H

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace lockfast::interleaving {

struct preemption {
  std::size_t point;
  unsigned thread;
};

using schedule = std::vector<preemption>;  // in the order of points

[[nodiscard]] std::string text_of(const schedule& of);
// Nothing where the text is not one of a schedule.
[[nodiscard]] std::optional<schedule> read_schedule(std::string_view text);

}  // namespace lockfast::interleaving

#endif
