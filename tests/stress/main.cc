// main.cc - many threads use every call at once, beside a plain model, under many policies and limits.
//
//    stress [--seconds N] [--seed N] [CONFIGURATION ...]    plans of that many seconds in each configuration, or in all
//    stress --soak [--seconds N] CONFIGURATION ...          one process for all of the time, at the configuration's limit
//    stress --replay FILE CONFIGURATION                     a plan that failed, as it was written
//    stress --shrinks                                       finds and shortens a planted disagreement
//    stress --list                                          the configurations
//
// Each thread has a table of secrets and does to them what its list says; at a pause each byte, access, receipt, guard page and
// count is compared, and the kernel is asked about locks and maps. A plan follows from its seed. One that fails is shortened, as
// far as a minute allows, and printed.
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "stress/carry_out.h"
#include "stress/shrink.h"

namespace {

using namespace lockfast::stress;
using std::chrono::seconds;
using clock_type = std::chrono::steady_clock;

constexpr std::size_t phases = 4;
constexpr std::size_t operations = 250;
constexpr std::size_t places = 24;
constexpr std::size_t soak_places = 600;

plan plan_of(std::uint64_t seed) {
  plan made;
  for (std::size_t number = 0; number < phases; ++number) made.push_back(phase_of(seed, number, operations, places));
  return made;
}

// Where threads race, a plan fails now and then: it is tried three times as often as the whole failed in as many tries.
void shorten_and_print(const plan& failed, const configuration& in) {
  constexpr int tries = 20;
  int failures = 1;
  for (int count = 1; count < tries; ++count) failures += carry_out(failed, in, places).agreed ? 0 : 1;
  const int enough = std::max(3, 3 * tries / failures);
  const plan left = shrink(
      failed,
      [&](const plan& tried) {
        for (int count = 0; count < enough; ++count) {
          if (!carry_out(tried, in, places).agreed) return true;
        }
        return false;
      },
      seconds(60));
  std::cout << "# fails " << failures << " times of " << tries << "; " << operation_count(left) << " operations are left of "
            << operation_count(failed) << '\n';
  constexpr std::size_t worth_reading = 200;
  if (operation_count(left) <= worth_reading) {
    write(std::cout, left);
  } else {
    std::cout << "# too many to print: the seed repeats them\n";
  }
}

bool stress(const configuration& in, seconds time, std::uint64_t seed) {
  const auto end = clock_type::now() + time;
  std::size_t plans = 0;
  do {
    const plan whole = plan_of(seed + plans);
    ++plans;
    if (const outcome found = carry_out(whole, in, places); !found.agreed) {
      std::cout << in.name << ": fails after " << plans << " plans, seed " << seed + plans - 1 << ", phase " << found.phases
                << ": " << found.text;
      shorten_and_print(whole, in);
      return false;
    }
  } while (clock_type::now() < end);
  std::cout << in.name << ": " << plans << " plans of " << phases * operations * thread_count << " operations agree" << std::endl;
  return true;
}

bool soak(const configuration& in, seconds time, std::uint64_t seed) {
  const outcome found = carry_out_for(time, seed, in, soak_places);
  std::cout << in.name << ": " << (found.agreed ? "agrees" : "fails") << " after " << found.phases << " pauses"
            << (found.agreed ? "\n" : ": " + found.text) << std::flush;
  return found.agreed;
}

bool replay(const char* file, const configuration& in) {
  std::ifstream text(file);
  const auto whole = read_plan(text);
  if (!whole || whole->empty()) {
    std::cerr << "stress: " << file << " is no plan\n";
    return false;
  }
  constexpr int tries = 100;
  int failures = 0;
  for (int count = 0; count < tries; ++count) {
    const outcome found = carry_out(*whole, in, places);
    if (failures == 0 && !found.agreed) std::cout << found.text;
    failures += found.agreed ? 0 : 1;
  }
  std::cout << failures << " of " << tries << " fail\n";
  return failures == 0;
}

// The shrinking itself: of a plan that is said to fail where one thread resizes after another has handed over, two are left.
bool shrinks() {
  const auto has = [](const plan& tried, verb what) {
    return std::ranges::any_of(tried, [&](const phase& each) {
      return std::ranges::any_of(each.of_thread, [&](const auto& list) {
        return std::ranges::any_of(list, [&](const operation& one) { return one.what == what; });
      });
    });
  };
  const plan left = shrink(
      plan_of(1), [&](const plan& tried) { return has(tried, verb::resize) && has(tried, verb::hand_over); }, seconds(60));
  return operation_count(left) == 2 && has(left, verb::resize) && has(left, verb::hand_over);
}

bool read_number(const char* text, std::uint64_t& out) {
  const std::string_view digits(text);
  const auto [end, error] = std::from_chars(digits.begin(), digits.end(), out);
  return error == std::errc() && end == digits.end();
}

int usage() {
  std::cerr << "usage: stress [--soak] [--seconds N] [--seed N] [CONFIGURATION ...], --replay FILE CONFIGURATION, --shrinks, --list\n";
  return 2;
}

}  // namespace

int main(int argc, char** argv) {
  std::uint64_t time = 10;
  std::uint64_t seed = 1;
  bool soaks = false;
  const char* file = nullptr;
  std::vector<const configuration*> chosen;
  for (int at = 1; at < argc; ++at) {
    const std::string_view word = argv[at];
    if (word == "--list") {
      for (const configuration& each : configurations()) std::cout << each.name << '\n';
      return 0;
    }
    if (word == "--shrinks") return shrinks() ? 0 : 1;
    if (word == "--soak") {
      soaks = true;
    } else if (word == "--seconds" && at + 1 < argc && read_number(argv[at + 1], time)) {
      ++at;
    } else if (word == "--seed" && at + 1 < argc && read_number(argv[at + 1], seed)) {
      ++at;
    } else if (word == "--replay" && at + 1 < argc) {
      file = argv[++at];
    } else if (const configuration* const named = configuration_named(word)) {
      chosen.push_back(named);
    } else {
      return usage();
    }
  }
  if (file != nullptr) return chosen.size() == 1 ? !replay(file, *chosen[0]) : usage();
  if (chosen.empty()) {
    for (const configuration& each : configurations()) chosen.push_back(&each);
  }
  bool agreed = true;
  for (const configuration* const each : chosen) {
    agreed = (soaks ? soak(*each, seconds(time), seed) : stress(*each, seconds(time), seed)) && agreed;
  }
  return agreed ? 0 : 1;
}
