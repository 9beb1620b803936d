// attack.h - the attacks of docs/threat_model.md that a program can show, and how they ended.
#ifndef TOOLS_HEIST_ATTACK_H
#define TOOLS_HEIST_ATTACK_H

#include <functional>
#include <string>
#include <vector>

#include "tools/heist/stage.h"
#include "tools/heist/subject.h"

namespace lockfast::tools {

struct attack {
  std::string name;   // for programs
  std::string title;  // for readers, of 16 letters at most
  std::string what;   // what the attacker does, in a line
  std::function<outcome(const subject&)> run;
  std::string missing = {};  // why it cannot be tried here; empty if it can
};

// By other processes, and by what the kernel writes to a disk.
std::vector<attack> attacks_from_outside();
// By the program's own mistakes, and its children.
std::vector<attack> attacks_from_within();

// One row: an outcome for each subject.
struct row {
  attack of;
  bool worked = false;  // the control fell
  std::vector<outcome> outcomes = {};
};

struct heist {
  std::vector<subject> subjects;
  std::vector<row> rows;
};
heist carry_out();

// For a terminal, or a file of text; and as a picture.
class terminal;
std::string as_text(const heist& done, const terminal& screen);
std::string as_svg(const heist& done, const std::string& caption);

}  // namespace lockfast::tools

#endif
