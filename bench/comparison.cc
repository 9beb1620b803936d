// comparison.cc - one table after another, an empty line before each.
#include "bench/comparison.h"

#include <algorithm>
#include <cstdio>

#include "bench/table.h"

namespace lockfast::bench {

void print_heading(const std::string& title, const medians& result) {
  std::printf("%s\nMedian of %lld interleaved runs; meanwhile other programs took %.0f %% of the processors' time\n",
              title.c_str(), static_cast<long long>(result.repetitions()), 100 * result.disturbance());
  std::printf("-: refused, or not held in RAM\n");
}

void comparison::print(const std::string& title, const std::function<bool(const subject&)>& shows, const cell& make) const {
  // What a filter left out of every line is no column, and a table without columns is none.
  const auto figure = [&](const subject& of, std::size_t column) -> std::string {
    return has(of, column) ? make(of, column) : "-";
  };
  std::vector<std::size_t> measured;
  std::vector<std::string> heading{"subject"};
  for (std::size_t column = 0; column < columns_.size(); ++column) {
    if (std::ranges::none_of(subjects_, [&](const subject& of) { return shows(of) && figure(of, column) != "-"; })) continue;
    measured.push_back(column);
    heading.push_back(columns_[column]);
  }
  if (measured.empty()) return;
  table shown(heading);
  for (const subject& each : subjects_) {
    if (!shows(each)) continue;
    std::vector<std::string> cells{each.name};
    for (const std::size_t column : measured) cells.push_back(figure(each, column));
    shown.add(cells);
  }
  std::printf("\n%s\n\n", title.c_str());
  shown.print();
}

void comparison::print_times(const std::string& title) const {
  print(
      title, [](const subject&) { return true; },
      [&](const subject& of, std::size_t column) { return duration(time(of, column)); });
}

void comparison::print_beyond_loop(const std::string& title) const {
  const auto loop = std::ranges::find(subjects_, role::loop, &subject::is);
  if (loop == subjects_.end()) return;
  print(
      title, [](const subject& of) { return of.is != role::loop; },
      [&](const subject& of, std::size_t column) -> std::string {
        return has(*loop, column) ? duration(time(of, column) - time(*loop, column)) : "-";
      });
}

void comparison::print_ratios(const std::string& title) const {
  for (const subject& ours : subjects_) {
    if (ours.is != role::lockfast) continue;
    print(
        title + ": the time of " + ours.name + ", of the time of each", [](const subject& of) { return of.is == role::peer; },
        [&](const subject& of, std::size_t column) -> std::string {
          return has(ours, column) ? ratio(time(ours, column) / time(of, column)) : "-";
        });
  }
}

void comparison::print_throughput(const std::string& title, const comparison& other, std::size_t share) const {
  print(
      title, [](const subject&) { return true; },
      [&](const subject& of, std::size_t column) -> std::string {
        if (!other.has(of, column)) return "-";
        return times(static_cast<double>(share) * other.time(of, column) / time(of, column));
      });
}

}  // namespace lockfast::bench
