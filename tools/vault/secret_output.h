// secret_output.h - secrets and names out of locked memory, by write(2): no stream has them on the way.
#ifndef TOOLS_VAULT_SECRET_OUTPUT_H
#define TOOLS_VAULT_SECRET_OUTPUT_H

#include <cstddef>
#include <span>
#include <string_view>

namespace lockfast::tools {

// How many bytes at the start of text a terminal must not get as they are: a control character, of UTF-8 too. 0 for none.
std::size_t control_at_start(std::string_view text);

// Appends text, with \xNN in place of each control character.
template <class Text>
void append_shown(Text& to, std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  while (!text.empty()) {
    const std::size_t control = control_at_start(text);
    for (std::size_t at = 0; at < control; ++at) {
      const auto byte = static_cast<unsigned char>(text[at]);
      for (const char each : {'\\', 'x', digits[byte >> 4], digits[byte & 15]}) to.push_back(each);
    }
    if (control == 0) to.push_back(text.front());
    text.remove_prefix(control == 0 ? 1 : control);
  }
}

// Whether a terminal shows these bytes as text, and obeys none of them.
bool is_plain_text(std::span<const std::byte> secret);

// Requires a descriptor that this process was started with; throws refusal for another one, naming the option.
void require_inherited(int descriptor, std::string_view option);

// Throws refusal if not all of it could be written.
void write_whole(int descriptor, std::span<const std::byte> bytes);

}  // namespace lockfast::tools

#endif
