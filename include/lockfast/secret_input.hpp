// secret_input.hpp - secrets from a descriptor or a terminal, straight into locked memory: no stream and no string has them on the way.
//
//    auto phrase = secret_input::ask("Passphrase: ");                  // from the user's terminal, which shows nothing
//    auto line = secret_input::read(0, {.until = '\n'});               // one line of the standard input, and no byte more
//    auto key = secret_input::read(descriptor);                        // to the end
//
// A std::istream or a FILE reads ahead into the ordinary heap: use neither on a descriptor that secrets come from.
//
// Threads: any; two that read one descriptor get parts of it each.
#ifndef LOCKFAST_SECRET_INPUT_HPP
#define LOCKFAST_SECRET_INPUT_HPP

#include <lockfast/detail/standard_library.hpp>
#include <lockfast/secret.hpp>

#include <cstddef>
#include <expected>
#include <optional>

namespace lockfast {
inline namespace LOCKFAST_STANDARD_LIBRARY {

class LOCKFAST_API secret_input {
 public:
  // How far to read.
  struct options {
    // Reads to this byte, which is left out, or to the end, whichever comes first. Without it: to the end.
    std::optional<char> until = std::nullopt;
    std::size_t max = 65536;  // bytes
  };

  // Reads from a descriptor, and waits for it in non-blocking mode too. Refuses: zero_size - nothing came; limit_exceeded - more than
  // max came, and what was read is wiped; file_system - it cannot be read; denied.
  [[nodiscard]] static std::expected<buffer<std::byte>, memory_error> read(int descriptor, options chosen);
  [[nodiscard]] static std::expected<buffer<std::byte>, memory_error> read(int descriptor) {
    return read(descriptor, options());
  }

  // Shows the prompt and reads a line from the user's terminal, whatever the standard streams are. Backspace takes a character back,
  // control-U all of them. A line that is too long is read to its end. Refuses: cancelled - control-C, or control-D at the
  // start; unsupported - there is no terminal; and as read.
  [[nodiscard]] static std::expected<buffer<std::byte>, memory_error> ask(const char* prompt, std::size_t max = 1024);
};

}  // namespace LOCKFAST_STANDARD_LIBRARY
}  // namespace lockfast

#endif
