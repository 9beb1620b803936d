// terminal.h - text for a reader: colours and width where the output is a terminal, plain text elsewhere.
#ifndef TOOLS_TERMINAL_H
#define TOOLS_TERMINAL_H

#include <cstddef>
#include <string>
#include <string_view>

namespace lockfast::tools {

enum class colour { plain, faint, bold, red, green, yellow, blue, magenta, cyan };

// What stands behind a descriptor. Colours only on a terminal whose TERM is not "dumb", and not where NO_COLOR has a value
// (no-color.org).
class terminal {
 public:
  explicit terminal(int descriptor);

  std::size_t width() const { return width_; }  // columns; 100 where it is no terminal

  std::string painted(colour with, std::string_view text) const;

  // Breaks text at spaces, so that lines end at the terminal's width. Lines but the first begin with indent spaces; so much is
  // already taken of the first. Text is counted by bytes.
  std::string wrapped(std::string_view text, std::size_t indent) const;

 private:
  bool colours_ = false;
  std::size_t width_ = 100;
};

// "4 KiB", "8 MiB", "1.5 GiB"; bytes where that says it exactly.
std::string size_text(unsigned long long bytes);

}  // namespace lockfast::tools

#endif
