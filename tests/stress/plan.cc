// plan.cc - plans from seeds, their parts, and their text.
#include "stress/plan.h"

#include <algorithm>
#include <istream>
#include <ostream>
#include <ranges>
#include <sstream>
#include <string>

namespace lockfast::stress {

phase phase_of(std::uint64_t seed, std::size_t number, std::size_t operations, std::size_t places) {
  phase made;
  for (std::size_t thread = 0; thread < thread_count; ++thread) {
    random_numbers from(random_numbers(seed).next() ^ (number * thread_count + thread));
    for (std::size_t count = 0; count < operations; ++count) made.of_thread[thread].push_back(random_operation(from, places));
  }
  return made;
}

std::size_t operation_count(const plan& whole) {
  std::size_t count = 0;
  for (const phase& each : whole) {
    for (const auto& list : each.of_thread) count += list.size();
  }
  return count;
}

plan without(const plan& whole, std::size_t begin, std::size_t count) {
  plan left;
  std::size_t at = 0;
  for (const phase& each : whole) {
    phase kept;
    for (std::size_t thread = 0; thread < thread_count; ++thread) {
      for (const operation& one : each.of_thread[thread]) {
        if (at < begin || at >= begin + count) kept.of_thread[thread].push_back(one);
        ++at;
      }
    }
    if (std::ranges::any_of(kept.of_thread, [](const auto& list) { return !list.empty(); })) left.push_back(std::move(kept));
  }
  return left;
}

void write(std::ostream& out, const plan& whole) {
  for (const phase& each : whole) {
    out << "phase\n";
    for (std::size_t thread = 0; thread < thread_count; ++thread) {
      for (const operation& one : each.of_thread[thread]) out << thread << ' ' << text(one) << '\n';
    }
  }
}

std::optional<plan> read_plan(std::istream& in) {
  plan whole;
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line.starts_with('#')) continue;
    if (line == "phase") {
      whole.emplace_back();
      continue;
    }
    std::istringstream words(line);
    std::size_t thread = 0;
    std::string rest;
    if (whole.empty() || !(words >> thread) || thread >= thread_count || !std::getline(words, rest)) return std::nullopt;
    const auto one = read_operation(rest);
    if (!one) return std::nullopt;
    whole.back().of_thread[thread].push_back(*one);
  }
  return whole;
}

}  // namespace lockfast::stress
