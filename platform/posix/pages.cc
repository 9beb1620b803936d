// pages.cc - pages as every POSIX host has them: mmap, mprotect, mlock; and what follows from those.
#include "platform/posix/pages.h"

#include <stdint.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "platform/access_checker.h"
#include "platform/errno_saver.h"

namespace lockfast::platform {

int protection_of(access wanted) {
  switch (wanted) {
    case access::none: return PROT_NONE;
    case access::read: return PROT_READ;
    case access::read_write: return PROT_READ | PROT_WRITE;
  }
  __builtin_unreachable();
}

error advise(std::byte* address, std::size_t size, int advice) { return result_of(madvise(address, size, advice)); }

LOCKFAST_UNCHECKED void touch(std::byte* address, std::size_t size) {
  const unreported guards_too;
  const std::size_t step = page_size();
  // Not known to the compiler: clang leaves out an access that changes nothing and whose value is not used, before version 17 a
  // volatile one as well.
  uint32_t nothing = 0;
  __asm__("" : "+r"(nothing));
  for (std::size_t at = 0; at < size; at += step) {
    // One access, not a read and a write: those are two faults of a new page, which gets the page of zeros for the first.
    // Of a word: RISC-V has no instruction for a byte.
    (void)__atomic_fetch_or(static_cast<uint32_t*>(static_cast<void*>(address + at)), nothing, __ATOMIC_RELAXED);
  }
}

std::size_t page_size() {
  static constinit std::size_t size = 0;
  std::size_t known = __atomic_load_n(&size, __ATOMIC_RELAXED);
  if (known == 0) {
    known = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    __atomic_store_n(&size, known, __ATOMIC_RELAXED);
  }
  return known;
}

// Not MAP_NORESERVE: where a system charges memory at all, an inaccessible map is not charged, and opening it then is, so that
// what can't be had is refused there, not found out by the out-of-memory killer. On Linux the charge also gives each opened run a
// map of its own (VM_ACCOUNT, mm/mprotect.c), whatever its access: closing it and opening it again needs no new one.
reservation reserve(std::size_t size, std::size_t alignment, fork_policy policy) {
  const errno_saver kept;
  reservation made;
  const std::size_t surplus = alignment > page_size() ? alignment : 0;
  if (size > PTRDIFF_MAX - surplus) {
    made.refusal = ENOMEM;
    return made;
  }
  void* const mapped = mmap(nullptr, size + surplus, PROT_NONE, MAP_PRIVATE | MAP_ANON | flags_of_reservations, -1, 0);
  if (mapped == MAP_FAILED) {
    made.refusal = errno;
    return made;
  }
  auto* const start = static_cast<std::byte*>(mapped);
  const std::size_t front = surplus == 0 ? 0 : (alignment - reinterpret_cast<uintptr_t>(start) % alignment) % alignment;
  if (front != 0) munmap(start, front);
  if (surplus != front) munmap(start + front + size, surplus - front);

  settle_reservation(made, start + front, size, policy);
  return made;
}

reservation reserve_again(std::byte* address, std::size_t size, fork_policy policy) {
  const errno_saver kept;
  reservation made;
  const int flags = MAP_PRIVATE | MAP_ANON | flags_of_reservations | flags_of_exact_place;
  void* const mapped = mmap(address, size, PROT_NONE, flags, -1, 0);
  if (mapped == address) {
    settle_reservation(made, address, size, policy);
  } else {
    made.refusal = mapped == MAP_FAILED ? errno : EEXIST;
    if (mapped != MAP_FAILED) munmap(mapped, size);
  }
  return made;
}

reservation reserve_over(std::byte* address, std::size_t size, fork_policy policy) {
  const errno_saver kept;
  reservation made;
  if (mmap(address, size, PROT_NONE, MAP_PRIVATE | MAP_ANON | MAP_FIXED | flags_of_reservations, -1, 0) == MAP_FAILED) {
    made.refusal = errno;
  } else {
    settle_reservation(made, address, size, policy);
  }
  return made;
}

void release(std::byte* address, std::size_t size) {
  const errno_saver kept;
  // What the system does not let go is closed at least.
  if (munmap(address, size) != 0) (void)mprotect(address, size, PROT_NONE);
}

error protect(std::byte* address, std::size_t size, access to) {
  const int saved = errno;
  if (mprotect(address, size, protection_of(to)) == 0) return 0;
  const error refusal = errno;
  errno = saved;
  return refusal;
}

error closed_lock_error() { return 0; }
bool discards_before_closing() { return true; }

// mlock, which brings the pages into RAM, too.
error lock_briefly(std::byte* address, std::size_t size) {
  const errno_saver kept;
  const error refusal = lock_pages(address, size);
  if (refusal != 0) (void)unlock_pages(address, size);  // it can leave the map charged
  return refusal;
}

error unlock(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return unlock_pages(address, size);
}

// mlock, which makes the pages the child's own where it may write to them: of many secrets, each a call as short as can be.
error lock_again(std::byte* address, std::size_t size) {
  const errno_saver kept;
  const error refusal = lock_pages(address, size);
  if (refusal != 0) (void)unlock_pages(address, size);  // it can leave the map charged
  touch(address, size);
  return refusal;
}

error lock_foreign(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return lock_pages(address, size);
}

error unlock_foreign(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return unlock_pages(address, size);
}

void raise_lock_limit() {
  const errno_saver kept;
  rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

std::size_t resource_limit_of_locks() {
  const errno_saver kept;
  rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  // Of 64 bits where a size has 32, and signed on some systems.
  const auto bytes = static_cast<uint64_t>(limit.rlim_cur);
  return bytes < SIZE_MAX ? static_cast<std::size_t>(bytes) : SIZE_MAX;
}

const char* options_variable() { return trusted_variable("LOCKFAST_OPTIONS"); }

}  // namespace lockfast::platform
