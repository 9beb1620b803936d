// absent.cc - `lockfast vault` where the command was built without libcrypto.
#include "tools/command.h"

namespace lockfast::tools {

command vault_command(const command_part& whole, const program_words&) {
  const command_part parsed = whole.add_part("vault", "Not in this build: libcrypto was not there");
  parsed.hide();
  parsed.allow_any_words();
  return {parsed, []() -> int { throw refusal("not in this build; install libssl-dev 3.0 or newer, and build it again"); },
          true};
}

}  // namespace lockfast::tools
