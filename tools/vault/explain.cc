#include "tools/vault/explain.h"

#include <lockfast/error_detail.hpp>

#include "tools/command.h"
#include "tools/vault/secret_output.h"

namespace lockfast::tools {
namespace {

// What the user does next.
std::string advice(memory_error reason, const std::string& file) {
  switch (reason) {
    case memory_error::not_found: return "make it with: lockfast vault " + shown(file) + " new";
    case memory_error::wrong_passphrase: return "nothing was changed, try another one";
    case memory_error::damaged: return "restore a copy of the file";
    case memory_error::busy: return "try again when the other program has ended";
    case memory_error::outdated: return "try again";
    case memory_error::denied: return "`lockfast doctor` says how to raise the limit on locked memory";
    case memory_error::file_system: return shown(file) + " is as it was; mend this and try again";
    case memory_error::unsupported: return "install the version that wrote the file, or libcrypto 3.2 for Argon2id";
    case memory_error::limit_exceeded: return "give less";
    case memory_error::zero_size: return "give at least one byte";
    case memory_error::cancelled: return "nothing was changed";
    default: return "try again";
  }
}

}  // namespace

std::string shown(const std::string& text) {
  std::string safe;
  append_shown(safe, text);
  return safe;
}

std::string explained(memory_error reason, const std::string& file) {
  const error_detail detail = last_error();
  const std::string what(detail.noted() && detail.reason() == reason ? detail.text() : message(reason));
  // These end with what to do.
  const bool is_advised = detail.noted() && (reason == memory_error::wrong_passphrase || reason == memory_error::damaged);
  return is_advised ? shown(what) : shown(what) + "; " + advice(reason, file);
}

void refuse(memory_error reason, const std::string& file) { throw refusal(explained(reason, file)); }

}  // namespace lockfast::tools
