#include "tools/shown.h"

namespace lockfast::tools {

std::size_t control_at_start(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x20 || first == 0x7f) return 1;
  // U+0080 to U+009F, some of which begin a sequence as ESC does.
  return first == 0xc2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xa0 ? 2 : 0;
}

std::string shown(std::string_view text) {
  std::string safe;
  append_shown(safe, text);
  return safe;
}

}  // namespace lockfast::tools
