// findings.h - what follows for a secret from what was tried and read.
#ifndef TOOLS_DOCTOR_FINDINGS_H
#define TOOLS_DOCTOR_FINDINGS_H

#include <string>
#include <vector>

#include "tools/doctor/machine.h"
#include "tools/doctor/trials.h"

namespace lockfast::tools {

enum class verdict { good, weak, missing, unknown };

struct finding {
  std::string name = {};  // one word, for a program that reads
  std::string title = {};
  verdict is = verdict::unknown;
  std::string saw = {};    // what was found
  std::string means = {};  // for a secret
  std::string mend = {};   // the line that mends it here; empty where none does or none is needed
};

std::vector<finding> examine(const machine& on, const trial_results& results);

// "good", "weak", "missing", "could not look".
std::string name_of(verdict one);

}  // namespace lockfast::tools

#endif
