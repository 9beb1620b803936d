// sodium_init.cc - for programs that use nothing else of libsodium: only in the stand-alone library.
#include <lockfast/sodium.h>

#include <atomic>

extern "C" int sodium_init(void) {
  static constinit std::atomic<bool> started = false;
  return started.exchange(true) ? 1 : 0;
}
