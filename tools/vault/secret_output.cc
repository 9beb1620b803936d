#include "tools/vault/secret_output.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>

#include "tools/command.h"
#include "tools/shown.h"

namespace lockfast::tools {

namespace {

// The bytes of the character at the start, by RFC 3629; 0 if none is well-formed.
std::size_t character_at_start(std::string_view text) {
  const auto byte = [&](std::size_t at) { return at < text.size() ? static_cast<unsigned char>(text[at]) : 0U; };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t size = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (std::size_t at = 1; at < size; ++at) {
    if ((byte(at) & 0xc0) != 0x80) return 0;
  }
  // Too long, a surrogate, or beyond U+10FFFF.
  const bool is_wrong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xed && byte(1) > 0x9f) ||
                        (first == 0xf0 && byte(1) < 0x90) || (first == 0xf4 && byte(1) > 0x8f);
  return is_wrong ? 0 : size;
}

}  // namespace

bool is_plain_text(std::span<const std::byte> secret) {
  std::string_view text(reinterpret_cast<const char*>(secret.data()), secret.size());
  while (!text.empty()) {
    const bool is_space = text[0] == '\n' || text[0] == '\t';
    const std::size_t size = character_at_start(text);
    if (size == 0 || (!is_space && control_at_start(text) != 0)) return false;
    text.remove_prefix(size);
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

void require_no_terminal(int descriptor, std::string_view option) {
  if (isatty(descriptor) == 0) return;
  throw refusal("descriptor " + std::to_string(descriptor) + " of " + std::string(option) +
                " is a terminal, which would show what is typed; leave the option out, and you are asked");
}

void write_whole(int descriptor, std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t done = write(descriptor, bytes.data(), bytes.size());
    if (done < 0 && errno == EINTR) continue;
    if (done < 0 && errno == EAGAIN) {
      // Somebody else's pipe, which is to be written without waiting.
      pollfd room{descriptor, POLLOUT, 0};
      (void)poll(&room, 1, -1);
      continue;
    }
    if (done < 0) {
      throw refusal("descriptor " + std::to_string(descriptor) + " could not be written (" + std::strerror(errno) +
                    "); give it a place with room");
    }
    bytes = bytes.subspan(static_cast<std::size_t>(done));
  }
}

}  // namespace lockfast::tools
