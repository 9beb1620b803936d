// table.cc - pads cells, and writes figures with three digits or so, as many as a measurement is good for.
#include "bench/table.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

namespace lockfast::bench {
namespace {

std::string text(double value, int decimals, const char* unit) {
  char buffer[64];
  std::snprintf(buffer, sizeof buffer, "%.*f%s", decimals, value, unit);
  return buffer;
}

int decimals_of(double value) { return value < 10 ? 2 : value < 100 ? 1 : 0; }

}  // namespace

void table::print() const {
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_) {
    for (std::size_t column = 0; column < row.size(); ++column) {
      widths[column] = std::max(widths[column], row[column].size());
    }
  }
  for (std::size_t row = 0; row < rows_.size(); ++row) {
    for (std::size_t column = 0; column < rows_[row].size(); ++column) {
      const int width = static_cast<int>(widths[column]);
      std::printf(column == 0 ? "  %-*s" : "   %*s", width, rows_[row][column].c_str());
    }
    std::printf("\n");
    if (row == 0) {
      for (std::size_t column = 0; column < widths.size(); ++column) {
        std::printf("%s%s", column == 0 ? "  " : "   ", std::string(widths[column], '-').c_str());
      }
      std::printf("\n");
    }
  }
}

std::string duration(double nanoseconds) {
  if (nanoseconds < 1000) return text(nanoseconds, decimals_of(nanoseconds), " ns");
  const double microseconds = nanoseconds / 1000;
  return text(microseconds, decimals_of(microseconds), " us");
}

std::string seconds(double time) { return text(time, 3, " s"); }

std::string bytes(double size) {
  constexpr double kibibyte = 1024;
  constexpr double mebibyte = kibibyte * kibibyte;
  if (size < kibibyte) return text(size, 0, " B");
  if (size < mebibyte) return text(size / kibibyte, 1, " KiB");
  return text(size / mebibyte, 1, " MiB");
}

std::string size_class(std::size_t size) {
  constexpr std::array<std::pair<std::size_t, const char*>, 2> units{{{1U << 20U, " MiB"}, {1U << 10U, " KiB"}}};
  for (const auto& [unit, name] : units) {
    if (size >= unit && size % unit == 0) return std::to_string(size / unit) + name;
  }
  return std::to_string(size) + " B";
}

std::string times(double ratio) { return text(ratio, decimals_of(ratio), " x"); }

std::string ratio(double of_one) {
  int decimals = decimals_of(of_one);
  for (double digits = of_one * 10; digits < 10 && decimals < 5; digits *= 10) ++decimals;
  return text(of_one, decimals, "");
}

std::string number(double value) { return text(value, 2, ""); }

}  // namespace lockfast::bench
