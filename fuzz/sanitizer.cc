// sanitizer.cc - has the sanitizers leave signals to us and locks to the kernel; unused in a build without them.
//
// Address and thread sanitizer turn mlock and munlock into functions that do nothing, so that no lock could be checked.
// These two, being the program's own, come before the sanitizer's.
#include <sys/syscall.h>
#include <unistd.h>

#include <cstddef>

#if defined(__has_feature)
#define LOCKFAST_HAS_FEATURE(x) __has_feature(x)
#else
#define LOCKFAST_HAS_FEATURE(x) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || LOCKFAST_HAS_FEATURE(address_sanitizer) || \
    LOCKFAST_HAS_FEATURE(thread_sanitizer)

namespace {
constexpr char options[] =
    "handle_segv=0:handle_sigbus=0:handle_abort=0:handle_sigill=0:handle_sigfpe=0:allow_user_segv_handler=1:detect_leaks=0";
}

extern "C" {

__attribute__((visibility("default"))) const char* __asan_default_options();
__attribute__((visibility("default"))) const char* __tsan_default_options();

const char* __asan_default_options() { return options; }
const char* __tsan_default_options() { return options; }

int mlock(const void* address, size_t length) noexcept { return static_cast<int>(syscall(SYS_mlock, address, length)); }
int munlock(const void* address, size_t length) noexcept { return static_cast<int>(syscall(SYS_munlock, address, length)); }
}

#endif
