#include "tools/vault/prompt.h"

#include <fcntl.h>
#include <lockfast/secret_input.hpp>
#include <unistd.h>

#include "tools/command.h"
#include "tools/vault/explain.h"
#include "tools/vault/kept_terminal.h"

namespace lockfast::tools {
bool has_terminal() {
  const int opened = open("/dev/tty", O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (opened >= 0) close(opened);
  return opened >= 0;
}

buffer<std::byte> ask(const std::string& what) {
  const kept_terminal kept;
  auto typed = secret_input::ask((what + ": ").c_str(), max_typed);
  if (typed) return std::move(*typed);
  switch (typed.error()) {
    case memory_error::cancelled: throw refusal("cancelled; nothing was changed");
    case memory_error::zero_size: throw refusal("nothing was typed; type at least one character");
    case memory_error::limit_exceeded:
      throw refusal("more than " + std::to_string(max_typed) + " bytes were typed; give it through a descriptor");
    default: refuse(typed.error(), "the terminal");
  }
}

buffer<std::byte> ask_twice(const std::string& what) {
  auto typed = ask(what);
  if (ask("Again") != typed) throw refusal("the two differ; nothing was changed, type the same one twice");
  return typed;
}

}  // namespace lockfast::tools
