// plan.h - what the threads do: in each phase a list of operations for each of them, and a pause after it.
//
// A plan is text too: a line "phase", then lines of a thread's number and an operation.
#ifndef LOCKFAST_TESTS_STRESS_PLAN_H
#define LOCKFAST_TESTS_STRESS_PLAN_H

#include <cstdint>
#include <iosfwd>
#include <optional>
#include <vector>

#include "stress/operation.h"

namespace lockfast::stress {

inline constexpr std::size_t thread_count = 4;

struct phase {
  std::vector<operation> of_thread[thread_count];
};

using plan = std::vector<phase>;

// The phase of that number of an endless plan.
[[nodiscard]] phase phase_of(std::uint64_t seed, std::size_t number, std::size_t operations, std::size_t places);

[[nodiscard]] std::size_t operation_count(const plan& whole);
// Without the operations from begin on, count of them, in the order of phases and threads. An empty phase goes as well.
[[nodiscard]] plan without(const plan& whole, std::size_t begin, std::size_t count);

void write(std::ostream& out, const plan& whole);
// Nothing where a line is none of a plan's.
[[nodiscard]] std::optional<plan> read_plan(std::istream& in);

}  // namespace lockfast::stress

#endif
