// comparison.h - the tables of a comparison: a line for each subject, a column for each thing that was measured.
#ifndef LOCKFAST_BENCH_COMPARISON_H
#define LOCKFAST_BENCH_COMPARISON_H

#include <cstddef>
#include <functional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "bench/medians.h"
#include "bench/subject.h"

namespace lockfast::bench {

// What a reader must know of a run: how often everything was measured, what a missing figure means, and how much of the
// processors' time other programs took.
void print_heading(const std::string& title, const medians& result);

// Refers to its result and its subjects. A figure that is missing, because the subject does not serve it or because a filter
// left it out, is shown as "-"; a column or table without any figure is left out.
class comparison {
 public:
  // The name under which a figure was added to medians.
  using naming = std::function<std::string(const subject& of, std::size_t column)>;

  comparison(const medians& result, std::span<const subject> subjects, std::vector<std::string> columns, naming name)
      : result_(result), subjects_(subjects), columns_(std::move(columns)), name_(std::move(name)) {}

  // The time of each.
  void print_times(const std::string& title) const;

  // The time of each without that of the loop alone.
  void print_beyond_loop(const std::string& title) const;

  // For each subject that is Lockfast a table: its time, of the time of each other allocator. Below 1 it is the faster one.
  void print_ratios(const std::string& title) const;

  // How many times as much is done as in other, which has the same subjects and columns: share is how many threads are at
  // work here for each one there.
  void print_throughput(const std::string& title, const comparison& other, std::size_t share) const;

 private:
  // Makes a cell; requires that its figure is there.
  using cell = std::function<std::string(const subject& of, std::size_t column)>;

  [[nodiscard]] bool has(const subject& of, std::size_t column) const { return result_.has(name_(of, column)); }
  [[nodiscard]] double time(const subject& of, std::size_t column) const { return result_.of(name_(of, column)); }
  void print(const std::string& title, const std::function<bool(const subject&)>& shows, const cell& make) const;

  const medians& result_;
  std::span<const subject> subjects_;
  std::vector<std::string> columns_;
  naming name_;
};

}  // namespace lockfast::bench

#endif
