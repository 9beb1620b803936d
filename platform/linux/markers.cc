// markers.cc - guard markers: MADV_GUARD_INSTALL, Linux 6.13.
#include <sys/mman.h>

#include <cerrno>

#include "platform/errno_saver.h"
#include "platform/linux/madvise.h"
#include "platform/linux/lock.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {
namespace {

// What older headers do not name (linux/mman.h).
constexpr int advice_guard_install = 102;
constexpr int advice_guard_remove = 103;

}  // namespace

bool has_guard_markers() {
  static constinit int known = -1;
  int has = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (has < 0) {
    const errno_saver kept;
    void* const mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // Under MCL_FUTURE the new map is locked, and refuses markers: then they are of no use.
    has = mapped != MAP_FAILED && advise_truly(static_cast<std::byte*>(mapped), page_size(), advice_guard_install) == 0 ? 1 : 0;
    if (mapped != MAP_FAILED) munmap(mapped, page_size());
    __atomic_store_n(&known, has, __ATOMIC_RELAXED);
  }
  return has == 1;
}

error mark(std::byte* address, std::size_t size) {
  const errno_saver kept;
  error refusal = result_of(mprotect(address, size, PROT_READ | PROT_WRITE));
  // Markers first, then the lock: a locked map takes none, and mlock without ONFAULT fails at the first of them.
  if (refusal == 0) refusal = advise(address, size, advice_guard_install);
  if (refusal == 0) refusal = lock_on_fault(address, size);
  if (refusal == 0) return 0;
  (void)unlock_pages(address, size);
  (void)advise(address, size, advice_guard_remove);
  (void)mprotect(address, size, PROT_NONE);
  return refusal;
}

// The access of the pages is that of the map in both: a run that was closed by its access would trap without a marker, too.
error unmark(std::byte* address, std::size_t size) {
  const errno_saver kept;
  error refusal = result_of(mprotect(address, size, PROT_READ | PROT_WRITE));
  if (refusal == 0) refusal = advise(address, size, advice_guard_remove);
  if (refusal == 0) touch(address, size);
  return refusal;
}

error mark_again(std::byte* address, std::size_t size) {
  const errno_saver kept;
  error refusal = result_of(mprotect(address, size, PROT_READ | PROT_WRITE));
  if (refusal == 0) refusal = unlock_pages(address, size);
  if (refusal == 0) refusal = advise(address, size, advice_guard_install);
  // A process that gave up rights may be over its limit; whoever opens the pages next asks again.
  (void)lock_on_fault(address, size);
  if (refusal == 0) join_again(address, size);
  return refusal;
}

// Maps that are to be read ahead, and others, are not joined (mm/vma.c compares the flags); nothing else comes of it for pages
// that are in RAM.
error set_apart(std::byte* address, std::size_t size) {
  const errno_saver kept;
  const error refusal = advise(address, size, MADV_SEQUENTIAL);
  // What madvise(2) makes of a map that it cannot divide (mm/madvise.c).
  return refusal == EAGAIN ? ENOMEM : refusal;
}

void join_again(std::byte* address, std::size_t size) {
  const errno_saver kept;
  (void)advise(address, size, MADV_NORMAL);
}

error lock_marked_again(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return lock_on_fault(address, size);
}

}  // namespace lockfast::platform
