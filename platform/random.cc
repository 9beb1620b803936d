// random.cc - random bytes or no process, on every host.
#include "platform/platform.h"

namespace lockfast::platform {

void random(std::span<std::byte> out) {
  if (try_random(out) == 0) return;
  constexpr char line[] = "lockfast: the system has no random bytes\n";
  write_line({line, sizeof line - 1});
  terminate();
}

}  // namespace lockfast::platform
