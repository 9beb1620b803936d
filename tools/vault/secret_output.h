// secret_output.h - secrets and names out of locked memory, by write(2): no stream has them on the way.
#ifndef TOOLS_VAULT_SECRET_OUTPUT_H
#define TOOLS_VAULT_SECRET_OUTPUT_H

#include <cstddef>
#include <span>
#include <string_view>

namespace lockfast::tools {

// Whether a terminal shows these bytes as text, and obeys none of them.
bool is_plain_text(std::span<const std::byte> secret);

// Requires a descriptor that this process was started with; throws refusal for another one, naming the option.
void require_inherited(int descriptor, std::string_view option);
// Refuses a descriptor that a secret is to be read from with the terminal's echo on.
void require_no_terminal(int descriptor, std::string_view option);

// Throws refusal if not all of it could be written.
void write_whole(int descriptor, std::span<const std::byte> bytes);

}  // namespace lockfast::tools

#endif
