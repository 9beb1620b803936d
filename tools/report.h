// report.h - a report of the library (docs/report.md), read: JSON lines of one or more processes.
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockfast::tools {

struct not_in_force {
  std::string protection;
  int error;
  std::uint64_t runs;
};

// States of neighbouring places, or of slots: a state, and how many in a row have it.
using run_lengths = std::vector<std::pair<std::string, std::uint64_t>>;

struct slab_drawing {
  std::uint64_t pages = 0, capacity = 0;
  std::string backing;
  run_lengths states;
};

struct region_drawing {
  std::string family, kind, guarded_by;
  std::uint64_t pages = 0, guards = 0, places = 0, place_pages = 0;
  std::optional<std::string> address;
  run_lengths states;
  std::vector<slab_drawing> slabs;
};

// What one process reported last.
struct process_report {
  std::uint64_t process = 0;
  std::string version, reason;
  std::uint64_t page_size = 0;
  bool native_used = false, drop_in_used = false;
  std::map<std::string, std::uint64_t> totals;  // the members of lockfast_get_statistics; those without limit are left out
  std::uint64_t hidden = 0, locked = 0, unlocked = 0;  // page runs opened
  std::vector<not_in_force> missing;
  std::vector<std::string> breaches;
  std::vector<std::string> loaded;  // libraries and modules, where nobody called the drop-in
  std::vector<region_drawing> regions;

  std::uint64_t total(const std::string& name) const;
  bool was_called() const;
};

// Reads the lines of a text. A later report of a process replaces its earlier one, but for breaches. It does not if it says that
// nobody called and the earlier one says otherwise: the process has two copies of Lockfast then, its own and the drop-in, and each
// of them reports. Lines and keys that are not known are passed over. Throws refusal if a line is no JSON object, naming its
// number; a last line without its end is a report that broke off, and is left out.
std::vector<process_report> read_reports(const std::string& text);

}  // namespace lockfast::tools

#endif
