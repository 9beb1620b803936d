// main.cc - operations of two or three threads, in every order that a few preemptions make.
//
//    interleaving [--long | --bound N] [--repeats] [SCENARIO ...]    all scenarios, or those named, each up to its bound
//    interleaving --replay SCENARIO:SCHEDULE                         one run, as it was printed when it failed
//    interleaving --finds                                                        finds what is planted
//    interleaving --list                                             the scenarios
#include <charconv>
#include <chrono>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/interleaving/exploration.h"

namespace {

using namespace lockfast::interleaving;
using clock_type = std::chrono::steady_clock;

std::vector<const scenario*> all_scenarios() {
  std::vector<const scenario*> all;
  for (const auto& some :
       {isolated_scenarios(), grouped_scenarios(), rest_scenarios(), part_scenarios(), process_scenarios()}) {
    for (const scenario& each : some) all.push_back(&each);
  }
  return all;
}

const scenario* scenario_named(std::string_view name) {
  if (name == planted_scenario().name) return &planted_scenario();
  for (const scenario* const each : all_scenarios()) {
    if (each->name == name) return each;
  }
  return nullptr;
}

bool holds(const scenario& of, unsigned bound, repeats of_others) {
  const auto begin = clock_type::now();
  const findings found = explore(of, bound, of_others);
  const std::chrono::duration<double> taken = clock_type::now() - begin;
  if (found.failed) {
    std::cout << of.name << ": FAILS in run " << found.runs << ", " << of.name << ':' << text_of(found.by) << '\n'
              << found.text;
    std::cout << std::flush;
    return false;
  }
  std::cout << of.name << ": holds in " << found.runs << " schedules and " << found.left_out << " that repeat them, "
            << found.points << " points, bound " << bound << ", " << taken.count() << " s" << std::endl;
  return true;
}

// What is planted fails with a preemption in one place, and holds without.
bool finds() {
  const scenario& of = planted_scenario();
  const findings without = explore(of, 0, repeats::left_out);
  const findings found = explore(of, 1, repeats::left_out);
  const findings again = replay(of, found.by);
  std::cout << of.name << ": " << (found.failed ? "found, " + text_of(found.by) + ": " + found.text : "not found\n");
  return !without.failed && found.failed && found.by.size() == 1 && again.failed && again.text == found.text;
}

int usage() {
  std::cerr
      << "usage: interleaving [--long | --bound N] [--repeats] [SCENARIO ...], --replay SCENARIO:SCHEDULE, --finds, --list\n";
  return 2;
}

int replay(std::string_view name) {
  const auto colon = name.find(':');
  const scenario* const of = scenario_named(name.substr(0, colon));
  const auto by = read_schedule(colon == std::string_view::npos ? std::string_view() : name.substr(colon + 1));
  if (of == nullptr || !by) return usage();
  const findings found = replay(*of, *by);
  std::cout << (found.failed ? found.text : "holds\n");
  return found.failed ? 1 : 0;
}

}  // namespace

int main(int argc, char** argv) {
  bool is_long = false;
  unsigned bound = 0;
  bool bounded = false;
  repeats of_others = repeats::left_out;
  std::vector<const scenario*> chosen;
  for (int at = 1; at < argc; ++at) {
    const std::string_view word = argv[at];
    if (word == "--list") {
      for (const scenario* const each : all_scenarios()) std::cout << each->name << '\n';
      return 0;
    }
    if (word == "--finds") return finds() ? 0 : 1;
    if (word == "--replay" && at + 1 < argc) return replay(argv[at + 1]);
    if (word == "--long") {
      is_long = true;
    } else if (word == "--repeats") {
      of_others = repeats::tried;
    } else if (word == "--bound" && at + 1 < argc) {
      const std::string_view digits = argv[++at];
      bounded = std::from_chars(digits.data(), digits.data() + digits.size(), bound).ec == std::errc();
      if (!bounded || bound > 4) return usage();
    } else if (const scenario* const named = scenario_named(word)) {
      chosen.push_back(named);
    } else {
      return usage();
    }
  }
  if (chosen.empty()) chosen = all_scenarios();
  bool hold = true;
  for (const scenario* const each : chosen) {
    hold = holds(*each, bounded ? bound : is_long ? each->long_bound : each->quick_bound, of_others) && hold;
  }
  return hold ? 0 : 1;
}
