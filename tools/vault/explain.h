// explain.h - a refusal of the library as the one line that a user gets: what was wrong, and what to do next.
#ifndef TOOLS_VAULT_EXPLAIN_H
#define TOOLS_VAULT_EXPLAIN_H

#include <lockfast/memory_error.hpp>

#include <expected>
#include <string>
#include <type_traits>
#include <utility>

#include "tools/shown.h"

namespace lockfast::tools {

// The line. Requires that the call which refused was this thread's last one of the library.
std::string explained(memory_error reason, const std::string& file);
// Throws it as a refusal.
[[noreturn]] void refuse(memory_error reason, const std::string& file);

// What a call gave, or its refusal.
template <class Value>
Value need(std::expected<Value, memory_error>&& made, const std::string& file) {
  if (!made) refuse(made.error(), file);
  if constexpr (!std::is_void_v<Value>) return std::move(*made);
}

}  // namespace lockfast::tools

#endif
