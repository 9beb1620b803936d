// picture.h - what the pictures of the command share: text in SVG, and a file that is written whole.
#ifndef TOOLS_PICTURE_H
#define TOOLS_PICTURE_H

#include <string>

namespace lockfast::tools {

// A text that holds no markup, and no character that XML 1.0 forbids.
std::string xml_text(const std::string& text);

// Replaces what the file held. Throws `refusal` if it cannot be written whole.
void write_file(const std::string& path, const std::string& text);

}  // namespace lockfast::tools

#endif
