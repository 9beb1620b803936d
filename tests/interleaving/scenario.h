// scenario.h - what two or three threads do at once, and what must hold whatever the order.
#ifndef LOCKFAST_TESTS_INTERLEAVING_SCENARIO_H
#define LOCKFAST_TESTS_INTERLEAVING_SCENARIO_H

#include <span>
#include <string_view>
#include <vector>

#include "tests/interleaving/baton.h"

namespace lockfast::interleaving {

struct scenario {
  const char* name;
  const char* options;  // LOCKFAST_OPTIONS
  std::vector<void (*)()> threads;
  // Before and after the threads; none of them is a part of what is tried in every order.
  void (*prepare)() = nullptr;
  void (*verify)() = nullptr;
  // How many preemptions ctest tries, and scripts/prove.
  unsigned quick_bound = 2;
  unsigned long_bound = 3;
  ending_of_threads ends = ending_of_threads::not_reached;
  // The line that each run dies with; null: it must not die.
  const char* dies_of = nullptr;
};

[[nodiscard]] std::span<const scenario> isolated_scenarios();
[[nodiscard]] std::span<const scenario> grouped_scenarios();
[[nodiscard]] std::span<const scenario> rest_scenarios();
[[nodiscard]] std::span<const scenario> part_scenarios();
[[nodiscard]] std::span<const scenario> process_scenarios();
// One that fails in some orders, for the test of the test.
[[nodiscard]] const scenario& planted_scenario();

}  // namespace lockfast::interleaving

#endif
