// main.cc - the command `lockfast`: one name for the sub-commands.
//
// To add a sub-command:
//   1. Write tools/NAME.cc with `command NAME_command(const command_part& whole)`: it calls whole.add_part, adds its options, and returns
//      the sub-command with the function that runs it. Options live in a shared_ptr that this function owns. Parts that grow
//      go into tools/NAME/. What may go wrong throws `refusal`.
//   2. Declare it in command.h, and add it to `commands` below. If it takes a program after "--", it takes `program` as well and
//      sets takes_program.
//   3. Add the file to CMakeLists.txt, a suite to tests/tools, and a section to docs/command.md.
// The completions of the shells ask the command itself (complete.h), so they need no change. --help has to fit 24 lines.
//
// It includes no header of Lockfast but the public ones (tests/layers.sh).
#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstdio>
#include <iostream>
#include <string>
#include <vector>

#include "tools/command.h"
#include "tools/complete.h"
#include "tools/shown.h"

namespace lockfast::tools {
namespace {

int refuse(const std::string& who, const std::string& what) {
  std::cout.flush();
  std::cerr << who << ": " << shown(what) << '\n';
  return bad_request;
}

int status_after_output(const std::string& who, int status) {
  return std::cout.flush() ? status : refuse(who, "standard output could not be written; give it a place with room");
}

// The parser says what was wrong; what is right is added. One line.
std::string explained(const bad_words& fault, const command_part& part) {
  // It may be the secret, which no log is to have from us as well.
  if (fault.are_too_many && part.name() == "put") {
    return "it takes one name, and never the secret as an argument; type it, or pipe it in";
  }
  const std::string text = shown(fault.text);
  const auto parts = part.parts();
  if (fault.are_unknown && !parts.empty()) return text + "; commands: " + joined(names_of(parts));
  if (fault.are_unknown) return text + "; options: " + joined(names_of(part.options()));
  return text + "; see '" + part.full_name() + " --help'";
}

int run(int count, char** words) {
  char** const end = words + count;
  char** const dashes = std::find(words, end, std::string("--"));
  program_words program;
  if (dashes != end) {
    program.given = true;
    program.words.assign(dashes + 1, end);
  }

  command_line line("lockfast", "Memory for secrets: what this machine gives, and programs that run on it.",
                    "lockfast " LOCKFAST_VERSION);
  const command_part whole = line.whole();
  whole.allow_one_part();
  whole.footer(
      "Exit status: 0 all is well, 1 something is weak, 2 bad input or could not be done.\n"
      "`lockfast COMMAND --help` tells more. Colours: on a terminal, unless NO_COLOR is set.");
  const std::vector<command> commands = {
      doctor_command(whole),       heist_command(whole),          map_command(whole),
      run_command(whole, program), vault_command(whole, program), complete_command(whole, program),
  };

  try {
    if (line.parse(static_cast<int>(dashes - words), words)) {
      return status_after_output(whole.chosen().full_name(), all_well);
    }
  } catch (const bad_words& fault) {
    const command_part part = whole.chosen();
    return refuse(part.full_name(), explained(fault, part));
  }
  const auto chosen = std::find_if(commands.begin(), commands.end(), [](const command& one) { return one.parsed.is_chosen(); });
  if (chosen == commands.end()) {
    std::cerr << whole.help_text();
    return bad_request;
  }
  const std::string who = whole.chosen().full_name();
  if (program.given && !chosen->takes_program) return refuse(who, "takes no program: leave out '--' and what follows it");
  try {
    return status_after_output(who, chosen->run());
  } catch (const refusal& fault) {
    return refuse(who, fault.what());
  } catch (const std::exception& fault) {
    return refuse(who, std::string("failed: ") + fault.what());
  }
}

}  // namespace
}  // namespace lockfast::tools

int main(int count, char** words) { return lockfast::tools::run(count, words); }
