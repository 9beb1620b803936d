#include "tools/vault/explain.h"

#include <lockfast/error_detail.hpp>

#include <algorithm>
#include <string_view>

#include "tools/command.h"

namespace lockfast::tools {
namespace {

// What the user does next.
std::string advice(memory_error reason, const std::string& file) {
  switch (reason) {
    case memory_error::not_found: return "make it with: lockfast vault " + shown(file) + " new";
    case memory_error::wrong_passphrase: return "type it again, or restore a copy";
    case memory_error::damaged: return "name another file, or restore a copy";
    case memory_error::denied: return "`lockfast doctor` says how to raise the limit on locked memory";
    case memory_error::file_system: return "nothing was changed; mend this and try again";
    case memory_error::unsupported: return "install libcrypto 3.2 or newer for Argon2id, or the version that wrote the file";
    default: return "nothing was changed; try again";
  }
}

// Some of the library's sentences end with what to do.
bool says_what_to_do(std::string_view sentence) {
  constexpr std::string_view ends[] = {"load a copy", "use a newer version", "try again when it is done"};
  return std::ranges::any_of(ends, [&](std::string_view end) { return sentence.ends_with(end); });
}

}  // namespace

std::string explained(memory_error reason, const std::string& file) {
  const error_detail detail = last_error();
  const std::string what(detail.noted() && detail.reason() == reason ? detail.text() : message(reason));
  return says_what_to_do(what) ? shown(what) : shown(what) + "; " + advice(reason, file);
}

void refuse(memory_error reason, const std::string& file) { throw refusal(explained(reason, file)); }

}  // namespace lockfast::tools
