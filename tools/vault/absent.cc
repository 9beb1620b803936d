// absent.cc - `lockfast vault` where the command was built without libcrypto.
#include <CLI/CLI.hpp>

#include "tools/command.h"

namespace lockfast::tools {

command vault_command(CLI::App& app, const program_words&) {
  CLI::App* const parsed = app.add_subcommand("vault", "Not in this build: libcrypto was not there");
  parsed->group("");
  parsed->allow_extras();
  return {parsed, []() -> int { throw refusal("not in this build; install libssl-dev 3.0 or newer, and build it again"); },
          true};
}

}  // namespace lockfast::tools
