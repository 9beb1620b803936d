// process.cc - the Linux host, kernel 5.10 or newer: random bytes, overwriting, threads, the environment. Pages, hidden memory, guard
// markers, protection keys and limits have files of their own.
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/random.h>
#if __has_include(<sys/single_threaded.h>)
#include <sys/single_threaded.h>
#endif
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/uio.h>
#include <unistd.h>

#include "platform/errno_saver.h"
#include "platform/linux/calls.h"
#include "platform/linux/filter.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {

namespace {

// The device that is the generator too (random(4)), for a process that may not call getrandom; false when it may not open that
// either. Opened for each call: a program that closes all descriptors would have another file under a number kept.
bool from_device(std::span<std::byte> out) {
  const auto device = static_cast<int>(syscall(SYS_openat, AT_FDCWD, "/dev/urandom", O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (device < 0) return false;
  struct stat found = {};
  bool filled = fstat(device, &found) == 0 && S_ISCHR(found.st_mode) && major(found.st_rdev) == 1 && minor(found.st_rdev) == 9;
  while (filled && !out.empty()) {
    const long length = written_by_system(out.data(), syscall(SYS_read, device, out.data(), out.size()));
    if (length > 0) {
      out = out.subspan(static_cast<std::size_t>(length));
    } else {
      filled = length < 0 && errno == EINTR;
    }
  }
  (void)syscall(SYS_close, device);
  return filled;
}

}  // namespace

// By a call of its own: the C library's is a cancellation point.
error try_random(std::span<std::byte> out) {
  const errno_saver kept;
  while (!out.empty()) {
    const long length = written_by_system(out.data(), syscall(SYS_getrandom, out.data(), out.size(), 0));
    if (length > 0) {
      out = out.subspan(static_cast<std::size_t>(length));
    } else if (const error refusal = errno; refusal != EINTR) {
      return from_device(out) ? 0 : refusal;
    }
  }
  return 0;
}

void overwrite(std::span<std::byte> over) {
  const errno_saver kept;
  constexpr std::size_t most = 256;  // what the kernel neither cuts short nor lets a signal interrupt (getrandom(2))
  for (; !over.empty(); over = over.subspan(over.size() < most ? over.size() : most)) {
    (void)syscall(SYS_getrandom, over.data(), over.size() < most ? over.size() : most, GRND_NONBLOCK);
  }
}

// The file of the memory takes what the pages' access does not let in (mem_write in the kernel's fs/proc/base.c, by FOLL_FORCE), and
// none of it counts as data. pwritev and not pwrite64: each processor passes its offset alike.
error wipe_closed(std::span<std::byte> over) {
  static constexpr std::byte zeros[4096] = {};
  const errno_saver kept;
  if (const error refusal = forbidden(risky_call::write_memory); refusal != 0) return refusal;
  const long memory = syscall(SYS_openat, AT_FDCWD, "/proc/thread-self/mem", O_WRONLY | O_CLOEXEC);
  if (memory < 0) return errno;
  error refusal = 0;
  while (refusal == 0 && !over.empty()) {
    const iovec piece = {const_cast<std::byte*>(zeros), over.size() < sizeof zeros ? over.size() : sizeof zeros};
    const long written = syscall(SYS_pwritev, memory, &piece, 1L, over.data(), 0L);
    if (written > 0) {
      over = over.subspan(static_cast<std::size_t>(written));
    } else if (written == 0 || errno != EINTR) {
      refusal = written == 0 ? EIO : errno;
    }
  }
  (void)syscall(SYS_close, memory);
  return refusal;
}

// glibc counts its threads; musl keeps to itself whether there are any.
#if __has_include(<sys/single_threaded.h>)
bool single_threaded() { return __libc_single_threaded != 0; }
#else
bool single_threaded() { return false; }
#endif

namespace {

// A wait for nobody: the C library's mutexes wait by the same call, so that no filter kills for it.
void sleep_for(long nanoseconds) {
  const errno_saver kept;
  unsigned nobody = 0;
  const long moment[2] = {0, nanoseconds};  // struct timespec as the kernel's old call has it
  (void)syscall(SYS_futex, &nobody, FUTEX_WAIT_PRIVATE, nobody, moment, nullptr, 0);
}

}  // namespace

// Where a filter kills for sched_yield, a sleep of a microsecond.
void yield() {
  if (survived(risky_call::give_way)) {
    (void)sched_yield();
  } else {
    sleep_for(1000);
  }
}

void sleep_briefly() { sleep_for(50000); }

const char* trusted_variable(const char* name) { return secure_getenv(name); }

}  // namespace lockfast::platform
