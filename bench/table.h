// table.h - a table of text that lines up, and the units that go into it.
#ifndef LOCKFAST_BENCH_TABLE_H
#define LOCKFAST_BENCH_TABLE_H

#include <cstddef>
#include <string>
#include <vector>

namespace lockfast::bench {

// Every row has as many cells as the first, which is the heading. Columns are as wide as their widest cell.
class table {
 public:
  explicit table(std::vector<std::string> heading) : rows_{std::move(heading)} {}

  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }

  // Prints to standard output: the first column to the left, the others to the right.
  void print() const;

 private:
  std::vector<std::vector<std::string>> rows_;
};

[[nodiscard]] std::string duration(double nanoseconds);  // "87.4 ns", "29.1 us"
[[nodiscard]] std::string seconds(double time);          // "0.483 s"
[[nodiscard]] std::string bytes(double size);            // "32 B", "16.0 KiB", "91.6 MiB"
[[nodiscard]] std::string size_class(std::size_t size);  // "32 B", "16 KiB", without a fraction
[[nodiscard]] std::string times(double ratio);           // "12.5 x", "342 x"
[[nodiscard]] std::string ratio(double of_one);          // "1.25", "0.0031", three digits however small
[[nodiscard]] std::string number(double value);          // "4.00"

}  // namespace lockfast::bench

#endif
