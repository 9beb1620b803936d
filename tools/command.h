// command.h - what main.cc and a sub-command know of each other.
#ifndef TOOLS_COMMAND_H
#define TOOLS_COMMAND_H

#include <functional>
#include <stdexcept>
#include <string>
#include <vector>

#include "tools/parser.h"

namespace lockfast::tools {

// How the command ends (docs/command.md). A sub-command that runs a program ends as the program does.
enum exit_status {
  all_well = 0,
  found_something = 1,  // doctor: a protection is weak or missing; heist: something fell; vault verify: it is damaged
  bad_request = 2,      // bad input, or a thing that could not be done or looked at; one line says which
};

// A sub-command: its options are parsed into what `run` owns. `run` returns the exit status.
struct command {
  command_part parsed;
  std::function<int()> run;
  bool takes_program = false;  // after "--"
};

// What stands after the first "--" of the command line: a program and its arguments. `given` without words: "--" is last.
struct program_words {
  bool given = false;
  std::vector<std::string> words;
};

// Ends the command with one line on standard error and status 2. The text says what was wrong and what is right.
class refusal : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The sub-commands, one file each.
command doctor_command(const command_part& whole);
command heist_command(const command_part& whole);
command map_command(const command_part& whole);
command run_command(const command_part& whole, const program_words& program);
command vault_command(const command_part& whole, const program_words& program);

}  // namespace lockfast::tools

#endif
