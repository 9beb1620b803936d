// bsd.cc - what macOS, FreeBSD, NetBSD and OpenBSD do alike: mlock, madvise, getentropy. What each does its own way is in a file
// of its name; none of them has hidden memory, guard markers or protection keys (unsupported.cc).
#include "platform/posix/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#if __has_include(<sys/random.h>)
#include <sys/random.h>
#endif
#include <unistd.h>

#include "platform/errno_saver.h"

namespace lockfast::platform {
namespace {

// The most that getentropy gives at once.
constexpr std::size_t max_entropy = 256;

}  // namespace

error lock_pages(const std::byte* address, std::size_t size) { return result_of(mlock(address, size)); }
error unlock_pages(const std::byte* address, std::size_t size) { return result_of(munlock(address, size)); }

error lock(std::byte* address, std::size_t size) {
  const errno_saver kept;
  const error refusal = lock_pages(address, size);
  if (refusal == 0) {
    touch(address, size);
  } else {
    (void)unlock_pages(address, size);
  }
  return refusal;
}

// What the contract has wiped is zero still, or is taken away and zero when it is touched again.
void discard(std::byte* address, std::size_t size) {
  const errno_saver kept;
  (void)advise(address, size, MADV_FREE);
}

// The limits on maps of these systems are those of address space.
std::size_t maps_used() { return 0; }
std::size_t map_limit() { return SIZE_MAX; }

// What is free is not told alike; what the machine has as a whole is.
std::size_t memory_available() {
  const errno_saver kept;
  const long pages = sysconf(_SC_PHYS_PAGES);
  if (pages <= 0 || static_cast<std::size_t>(pages) > SIZE_MAX / page_size()) return SIZE_MAX;
  return static_cast<std::size_t>(pages) * page_size();
}

// No emulator of these systems is known that answers mlock without locking.
bool locks_are_real() {
  const errno_saver kept;
  const std::size_t size = page_size();
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANON, -1, 0);
  if (mapped == MAP_FAILED) return false;
  const bool real = lock_pages(static_cast<std::byte*>(mapped), size) == 0;
  munmap(mapped, size);
  return real;
}

error try_random(std::span<std::byte> out) {
  const errno_saver kept;
  for (; !out.empty(); out = out.subspan(out.size() < max_entropy ? out.size() : max_entropy)) {
    if (getentropy(out.data(), out.size() < max_entropy ? out.size() : max_entropy) != 0) return errno;
  }
  return 0;
}

// The kernel stores the bytes, and refuses with EFAULT where it cannot.
void overwrite(std::span<std::byte> over) {
  const errno_saver kept;
  for (; !over.empty(); over = over.subspan(over.size() < max_entropy ? over.size() : max_entropy)) {
    (void)getentropy(over.data(), over.size() < max_entropy ? over.size() : max_entropy);
  }
}

bool may_lock(std::size_t size) { return size <= lock_limit(); }

bool single_threaded() { return false; }

const char* trusted_variable(const char* name) { return issetugid() != 0 ? nullptr : getenv(name); }

}  // namespace lockfast::platform
