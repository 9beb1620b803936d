// composed_report.h - the lines of a report as an input decides, and beside them a model of what a reader must find in them.
#ifndef LOCKFAST_FUZZ_COMPOSED_REPORT_H
#define LOCKFAST_FUZZ_COMPOSED_REPORT_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/bytes.h"
#include "tools/report.h"

namespace lockfast::fuzz {

// Words of a report, and words that do harm where they are not quoted.
[[nodiscard]] std::string_view any_word(bytes& input);

class composed_report {
 public:
  explicit composed_report(bytes& input) : input_(input) {}

  void write_line();
  void write_unknown_line();
  // For each process the report that counts: its latest, or the latest of those that tell of calls; with the breaches of all.
  [[nodiscard]] std::vector<tools::process_report> model() const;

  std::string lines;
  std::size_t later_reports = 0;  // of a process that had one already

 private:
  void begin();
  void end();
  void put(std::string_view key, std::string_view value);
  // Whether the member that comes next is left out, or has a value of another type: then a reader finds nothing.
  bool is_spoilt(std::string_view key);
  std::uint64_t any_number();
  std::uint64_t number(std::string_view key);
  std::string any_text();
  std::string text(std::string_view key);
  tools::run_lengths states();
  void line(std::string_view what);
  void machine();
  // Lines before the first process go to one that nobody looks at.
  tools::process_report& current() { return written_.empty() ? nobody_ : written_.back(); }
  void policy();
  void totals();
  void opened();
  void not_in_force();
  void named(std::string_view what, std::string_view key, std::vector<std::string> tools::process_report::* where);
  void region();
  void slab();

  bytes& input_;
  tools::process_report nobody_;
  std::vector<tools::process_report> written_;
  bool is_first_ = true;
};

}  // namespace lockfast::fuzz

#endif
