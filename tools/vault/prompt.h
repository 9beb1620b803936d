// prompt.h - secrets that are typed at the user's terminal, which shows nothing meanwhile and is put back by whatever ends it.
#ifndef TOOLS_VAULT_PROMPT_H
#define TOOLS_VAULT_PROMPT_H

#include <lockfast/secret.hpp>

#include <cstddef>
#include <string>

namespace lockfast::tools {

constexpr std::size_t max_typed = 4096;  // bytes

bool has_terminal();

// "WHAT: ". Throws refusal.
buffer<std::byte> ask(const std::string& what);
// The same twice; refuses two that differ.
buffer<std::byte> ask_twice(const std::string& what);

}  // namespace lockfast::tools

#endif
