#include "tools/picture.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tools/command.h"

namespace lockfast::tools {

std::string xml_text(const std::string& text) {
  std::string safe;
  for (std::size_t at = 0; at < text.size(); ++at) {
    const char one = text[at];
    // U+FFFE and U+FFFF, which XML forbids as it does most control characters.
    if (text.compare(at, 3, "\xef\xbf\xbe") == 0 || text.compare(at, 3, "\xef\xbf\xbf") == 0) {
      safe += ' ';
      at += 2;
      continue;
    }
    switch (one) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      default: safe += static_cast<unsigned char>(one) < ' ' ? ' ' : one;
    }
  }
  return safe;
}

void write_file(const std::string& path, const std::string& text) {
  errno = 0;
  std::ofstream file(path, std::ios::binary);
  file << text;
  if (!file.flush()) throw refusal(path + " cannot be written (" + std::strerror(errno) + "); name another file");
}

}  // namespace lockfast::tools
