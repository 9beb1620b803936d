#include "tools/picture.h"

#include <cerrno>
#include <cstring>
#include <fstream>

#include "tools/command.h"

namespace lockfast::tools {

std::string xml_text(const std::string& text) {
  std::string safe;
  for (const char one : text) {
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
