// shown.h - texts of the user's or of a file, as a terminal may get them.
#ifndef TOOLS_SHOWN_H
#define TOOLS_SHOWN_H

#include <cstddef>
#include <string>
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

// The same as a text: no terminal obeys it.
std::string shown(std::string_view text);

}  // namespace lockfast::tools

#endif
