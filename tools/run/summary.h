// summary.h - what `lockfast run` prints when its program has ended.
#ifndef TOOLS_RUN_SUMMARY_H
#define TOOLS_RUN_SUMMARY_H

#include <optional>
#include <string>
#include <vector>

#include "tools/report.h"
#include "tools/run/program_file.h"
#include "tools/run/supervised.h"

namespace lockfast::tools {

struct program_run {
  std::string name;                     // as it was called
  std::optional<program_file> file;     // of a script, its interpreter's
  std::optional<std::string> obstacle;  // why the drop-in could not be loaded
  program_end end;
};

// To standard error.
void summarize(const std::vector<process_report>& reports, const program_run& run);

}  // namespace lockfast::tools

#endif
