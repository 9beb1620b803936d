#include "tools/vault/secret_output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tools/command.h"

namespace lockfast::tools {

std::size_t control_at_start(std::string_view text) {
  const auto first = static_cast<unsigned char>(text[0]);
  if (first < 0x20 || first == 0x7f) return 1;
  // U+0080 to U+009F, some of which begin a sequence as ESC does.
  return first == 0xc2 && text.size() > 1 && static_cast<unsigned char>(text[1]) < 0xa0 ? 2 : 0;
}

bool is_plain_text(std::span<const std::byte> secret) {
  const std::string_view text(reinterpret_cast<const char*>(secret.data()), secret.size());
  for (std::size_t at = 0; at < text.size(); ++at) {
    const bool is_space = text[at] == '\n' || text[at] == '\t';
    if (!is_space && control_at_start(text.substr(at)) != 0) return false;
  }
  return true;
}

void require_inherited(int descriptor, std::string_view option) {
  const int flags = fcntl(descriptor, F_GETFD);
  // What we opened ourselves is closed on exec; what a shell gave is not.
  if (flags >= 0 && (flags & FD_CLOEXEC) == 0) return;
  const std::string number = std::to_string(descriptor);
  throw refusal("descriptor " + number + " of " + std::string(option) + " is not open; open it in the shell, as in: " + number +
                "<FILE");
}

void write_whole(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0) {
      throw refusal("descriptor " + std::to_string(descriptor) + " could not be written (" + std::strerror(errno) +
                    "); give it a place with room");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

}  // namespace lockfast::tools
