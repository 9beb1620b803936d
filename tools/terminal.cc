#include "tools/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

namespace lockfast::tools {
namespace {

std::string_view start_of(colour with) {
  switch (with) {
    case colour::faint: return "\x1b[2m";
    case colour::bold: return "\x1b[1m";
    case colour::red: return "\x1b[31m";
    case colour::green: return "\x1b[32m";
    case colour::yellow: return "\x1b[33m";
    case colour::blue: return "\x1b[34m";
    case colour::magenta: return "\x1b[35m";
    case colour::cyan: return "\x1b[36m";
    case colour::plain: break;
  }
  return "";
}

}  // namespace

terminal::terminal(int descriptor) {
  if (isatty(descriptor) == 0) return;
  const char* const none = std::getenv("NO_COLOR");
  const char* const kind = std::getenv("TERM");
  colours_ = (none == nullptr || *none == 0) && kind != nullptr && std::string_view(kind) != "dumb";
  constexpr std::size_t narrowest = 40;
  winsize size{};
  if (ioctl(descriptor, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) width_ = std::max<std::size_t>(size.ws_col, narrowest);
}

std::string terminal::painted(colour with, std::string_view text) const {
  if (!colours_ || with == colour::plain) return std::string(text);
  return std::string(start_of(with)).append(text).append("\x1b[0m");
}

std::string terminal::wrapped(std::string_view text, std::size_t indent) const {
  std::string lines;
  std::size_t column = indent;
  while (!text.empty()) {
    const std::string_view word = text.substr(0, text.find(' '));
    text.remove_prefix(std::min(text.size(), word.size() + 1));
    if (column > indent && column + 1 + word.size() > width_) {
      lines.append("\n").append(indent, ' ');
      column = indent;
    } else if (column > indent) {
      lines += ' ';
      ++column;
    }
    lines += word;
    column += word.size();
  }
  return lines;
}

std::string size_text(unsigned long long bytes) {
  constexpr const char* units[] = {"bytes", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  std::size_t unit = 0;
  auto value = static_cast<double>(bytes);
  while (value >= 1024 && unit + 1 < std::size(units)) {
    value /= 1024;
    ++unit;
  }
  char text[32];
  const bool exact = value == static_cast<double>(static_cast<unsigned long long>(value));
  std::snprintf(text, sizeof text, exact ? "%.0f %s" : "%.1f %s", value, bytes == 1 ? "byte" : units[unit]);
  return text;
}

}  // namespace lockfast::tools
