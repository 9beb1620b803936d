// main.cc - the command `lockfast`: one name for the sub-commands.
//
// To add a sub-command:
//   1. Write tools/NAME.cc with `command NAME_command(CLI::App& app)`: it calls app.add_subcommand, adds its options, and returns
//      the sub-command with the function that runs it. Options live in a shared_ptr that this function owns. Parts that grow
//      go into tools/NAME/. What may go wrong throws `refusal`.
//   2. Declare it in command.h, and add it to `commands` below. If it takes a program after "--", it takes `program` as well and
//      sets takes_program.
//   3. Add the file to CMakeLists.txt, a suite to tests/tools, and a section to docs/command.md.
// The completions of the shells ask the command itself (complete.h), so they need no change. --help has to fit 24 lines.
//
// It includes no header of Lockfast but the public ones (tests/layers.sh).
#include <lockfast/lockfast.h>

#include <CLI/CLI.hpp>
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

// The sub-command that the words name, or the whole command.
CLI::App& named(CLI::App& app) {
  CLI::App* part = &app;
  while (!part->get_subcommands().empty()) part = part->get_subcommands().back();
  return *part;
}

std::string full_name(const CLI::App& part) {
  const CLI::App* const parent = part.get_parent();
  return parent == nullptr ? part.get_name() : full_name(*parent) + " " + part.get_name();
}

int refuse(const std::string& who, const std::string& what) {
  std::cout.flush();
  std::cerr << who << ": " << what << '\n';
  return bad_request;
}

// CLI11 says what was wrong; what is right is added. One line.
std::string explained(const CLI::ParseError& fault, const CLI::App& part) {
  std::string text = fault.what();
  std::replace(text.begin(), text.end(), '\n', ' ');
  text = shown(text);
  const bool extra = dynamic_cast<const CLI::ExtrasError*>(&fault) != nullptr;
  // It may be the secret, which no log is to have from us as well.
  const bool too_many = extra || dynamic_cast<const CLI::ArgumentMismatch*>(&fault) != nullptr;
  if (too_many && part.get_name() == "put")
    return "it takes one name, and never the secret as an argument; type it, or pipe it in";
  if (extra && !command_names(part).empty()) return text + "; commands: " + joined(command_names(part));
  if (extra) return text + "; options: " + joined(option_names(part));
  return text + "; see '" + full_name(part) + " --help'";
}

int run(int count, char** words) {
  char** const end = words + count;
  char** const dashes = std::find(words, end, std::string("--"));
  program_words program;
  if (dashes != end) {
    program.given = true;
    program.words.assign(dashes + 1, end);
  }

  CLI::App app("Memory for secrets: what this machine gives, and programs that run on it.", "lockfast");
  app.set_version_flag("--version", "lockfast " LOCKFAST_VERSION, "Print the version");
  app.set_help_flag("-h,--help", "Print this help");
  app.get_formatter()->column_width(column_of_help);
  // The words after one are its own, whatever they are.
  app.require_subcommand(0, 1);
  app.footer(
      "Exit status: 0 all is well, 1 something is weak, 2 bad input or could not be done.\n"
      "`lockfast COMMAND --help` tells more. Colours: on a terminal, unless NO_COLOR is set.");
  const std::vector<command> commands = {
      doctor_command(app),       heist_command(app),          map_command(app),
      run_command(app, program), vault_command(app, program), complete_command(app, program),
  };

  try {
    app.parse(static_cast<int>(dashes - words), words);
  } catch (const CLI::Success& wanted) {
    app.exit(wanted, std::cout, std::cerr);
    return std::cout.flush() ? all_well : bad_request;
  } catch (const CLI::ParseError& fault) {
    const CLI::App& part = named(app);
    return refuse(full_name(part), explained(fault, part));
  }
  const auto chosen = std::find_if(commands.begin(), commands.end(), [](const command& one) { return one.parsed->parsed(); });
  if (chosen == commands.end()) {
    std::cerr << app.help();
    return bad_request;
  }
  const std::string who = full_name(named(app));
  if (program.given && !chosen->takes_program) return refuse(who, "takes no program: leave out '--' and what follows it");
  try {
    const int status = chosen->run();
    if (!std::cout.flush()) return refuse(who, "standard output could not be written; give it a place with room");
    return status;
  } catch (const refusal& fault) {
    return refuse(who, fault.what());
  } catch (const std::exception& fault) {
    return refuse(who, std::string("failed: ") + fault.what());
  }
}

}  // namespace
}  // namespace lockfast::tools

int main(int count, char** words) { return lockfast::tools::run(count, words); }
