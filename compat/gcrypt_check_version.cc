// gcrypt_check_version.cc - gives libgcrypt its allocation functions when the program begins to use it: only in the shared library.
//
// A program has to call gcry_check_version before all but a few commands (libgcrypt's manual, "Initializing the library"). To install
// when this library is loaded would be too early: gcry_set_allocation_handler initializes libgcrypt, and those few, FIPS mode among
// them, must come before that.
#include <dlfcn.h>
#include <lockfast/gcrypt.h>

#include <atomic>
#include <cerrno>

extern "C" LOCKFAST_API const char* gcry_check_version(const char* wanted) {
  using function = const char* (*)(const char*);
  static constinit std::atomic<bool> tried = false;
  const auto next = reinterpret_cast<function>(dlsym(RTLD_NEXT, "gcry_check_version"));
  if (next == nullptr) return nullptr;
  if (!tried.exchange(true, std::memory_order_relaxed)) {
    const int kept = errno;
    (void)lockfast_gcrypt_install();
    errno = kept;
  }
  return next(wanted);
}
