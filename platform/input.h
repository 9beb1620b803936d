// input.h - what Lockfast asks of an operating system to read a secret: the bytes of a descriptor, and a terminal that shows nothing.
//
// Nothing is buffered on the way: bytes go from the system to where the caller wants them.
#ifndef LOCKFAST_PLATFORM_INPUT_H
#define LOCKFAST_PLATFORM_INPUT_H

#include <cstddef>
#include <span>
#include <string_view>

namespace lockfast::platform {

// Reads what there is, up to the size of out, and waits for one byte at least, of a descriptor in non-blocking mode too; count is 0 at
// the end. Goes on after signals. Returns the errno of a refusal.
[[nodiscard]] int read_some(int descriptor, std::span<std::byte> out, std::size_t& count);

// The terminal of the user, whatever the standard streams are: it shows nothing that is typed, makes no signals of keys, and gives each
// key at once. It is as it was before when this goes; a process that is killed meanwhile leaves it as it is.
class silent_terminal {
 public:
  silent_terminal() = default;
  silent_terminal(const silent_terminal&) = delete;
  silent_terminal& operator=(const silent_terminal&) = delete;
  ~silent_terminal();

  // ENXIO, or another errno, where there is no terminal.
  [[nodiscard]] int open();
  // Requires that open() gave 0.
  [[nodiscard]] int read_key(std::byte& key, bool& is_end) const;
  [[nodiscard]] int write(std::string_view text) const;

 private:
  struct saved;
  saved* before_ = nullptr;
};

}  // namespace lockfast::platform

#endif
