// opened.cc - the look at a descriptor, by fstat and lseek.
#include "platform/posix/opened.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "platform/platform.h"

namespace lockfast::platform {
namespace {

constexpr int first_beyond_standard = 3;

// Not every file system has offsets of 40 bits.
constexpr unsigned mark_sizes[] = {40, 31};

error move_beyond_standard(int& descriptor) {
  if (descriptor >= first_beyond_standard) return 0;
  const int moved = fcntl(descriptor, F_DUPFD_CLOEXEC, first_beyond_standard);
  const error refusal = moved < 0 ? errno : 0;
  (void)::close(descriptor);
  descriptor = moved;
  return refusal;
}

template <class Opened>
error identify(int descriptor, Opened& out) {
  if (const error refusal = move_beyond_standard(descriptor); descriptor < 0) return refusal;
  struct stat found = {};
  if (fstat(descriptor, &found) != 0) {
    const error refusal = errno;
    (void)::close(descriptor);
    return refusal;
  }
  out = {.number = descriptor,
         .device = static_cast<std::uint64_t>(found.st_dev),
         .inode = static_cast<std::uint64_t>(found.st_ino)};
  return 0;
}

// 0 where the file system lets no such offset be set, or the system gives no random bytes: as a file that was just opened has it.
std::uint64_t mark(int descriptor) {
  std::uint64_t drawn = 0;
  if (try_random(std::as_writable_bytes(std::span(&drawn, 1))) != 0) return 0;
  for (const unsigned size : mark_sizes) {
    const std::uint64_t offset = drawn >> (64 - size);
    if (lseek(descriptor, static_cast<off_t>(offset), SEEK_SET) >= 0) return offset;
  }
  return 0;
}

template <class Opened>
bool still_there(const Opened& one) {
  struct stat found = {};
  return fstat(static_cast<int>(one.number), &found) == 0 && static_cast<std::uint64_t>(found.st_dev) == one.device &&
         static_cast<std::uint64_t>(found.st_ino) == one.inode;
}

}  // namespace

error take_over(int descriptor, file& out) {
  if (const error refusal = identify(descriptor, out); refusal != 0) return refusal;
  out.mark = mark(static_cast<int>(out.number));
  return 0;
}

// A directory that has a name keeps its inode.
error take_over(int descriptor, directory& out) { return identify(descriptor, out); }

int descriptor_of(const file& one) {
  const int descriptor = static_cast<int>(one.number);
  return still_there(one) && lseek(descriptor, 0, SEEK_CUR) == static_cast<off_t>(one.mark) ? descriptor : -1;
}

int descriptor_of(const directory& one) { return still_there(one) ? static_cast<int>(one.number) : -1; }

}  // namespace lockfast::platform
