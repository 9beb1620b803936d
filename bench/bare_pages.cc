// bare_pages.cc - mmap, mprotect, mlock2 and memfd_secret.
#include "bench/bare_pages.h"

#include <sys/mman.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cstring>

// Newer than the C library's headers may be (asm/unistd.h).
#ifndef SYS_memfd_secret
#define SYS_memfd_secret 447
#endif

namespace lockfast::bench {
namespace {

// Address space that is reserved once, a guard page between two secrets' pages; places are used in turn, from the first again when
// all are free.
class bare_space {
 public:
  [[nodiscard]] std::byte* take() {
    if (base_ == nullptr) {
      const std::size_t size = (2 * bare_count + 1) * page();
      void* const mapped = mmap(nullptr, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (mapped == MAP_FAILED) give_up("mmap");
      base_ = static_cast<std::byte*>(mapped);
    }
    ++live_;
    return base_ + (2 * used_++ + 1) * page();
  }
  void put_back() {
    if (--live_ == 0) used_ = 0;
  }

 private:
  std::byte* base_ = nullptr;
  std::size_t used_ = 0;
  std::size_t live_ = 0;
};
thread_local bare_space spaces;
thread_local std::size_t size_of_all = 0;

// Hidden pages at a place, or anywhere.
std::byte* map_secret_file(void* place, std::size_t size) {
  const auto file = static_cast<int>(syscall(SYS_memfd_secret, 0));
  if (file < 0 || ftruncate(file, static_cast<off_t>(size)) != 0) give_up("memfd_secret");
  void* const mapped = mmap(place, size, PROT_READ | PROT_WRITE, MAP_SHARED | (place == nullptr ? 0 : MAP_FIXED), file, 0);
  if (mapped == MAP_FAILED) give_up("mmap");
  (void)close(file);
  return static_cast<std::byte*>(mapped);
}

void* lock_page(std::size_t size) {
  std::byte* const at = spaces.take();
  if (mprotect(at, page(), PROT_READ | PROT_WRITE) != 0 || mlock2(at, page(), MLOCK_ONFAULT) != 0) give_up("mlock2");
  size_of_all = size;
  void* const secret = at + page() - size;
  touch(secret, size);
  return secret;
}

void unlock_page(void* secret, std::size_t size) {
  std::byte* const at = page_of(secret, size);
  if (mprotect(at, page(), PROT_READ | PROT_WRITE) != 0) give_up("mprotect");
  explicit_bzero(secret, size);
  if (munlock(at, page()) != 0 || mprotect(at, page(), PROT_NONE) != 0 || madvise(at, page(), MADV_DONTNEED) != 0) {
    give_up("munlock");
  }
  spaces.put_back();
}

void* hide_page(std::size_t size) {
  std::byte* const at = map_secret_file(spaces.take(), page());
  if (madvise(at, page(), MADV_DONTFORK) != 0 || getrandom(at, 1, GRND_NONBLOCK) != 1) give_up("getrandom");
  size_of_all = size;
  void* const secret = at + page() - size;
  touch(secret, size);
  return secret;
}

void unhide_page(void* secret, std::size_t size) {
  std::byte* const at = page_of(secret, size);
  if (mprotect(at, page(), PROT_READ | PROT_WRITE) != 0) give_up("mprotect");
  explicit_bzero(secret, size);
  if (mmap(at, page(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at) give_up("mmap");
  spaces.put_back();
}

int close_page(void* secret) { return mprotect(page_of(secret, size_of_all), page(), PROT_NONE); }
int open_page(void* secret) { return mprotect(page_of(secret, size_of_all), page(), PROT_READ | PROT_WRITE); }

}  // namespace

std::size_t page() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::byte* page_of(void* secret, std::size_t size) { return static_cast<std::byte*>(secret) + size - page(); }

std::byte* map_hidden(std::size_t page_count) {
  std::byte* const mapped = map_secret_file(nullptr, page_count * page());
  for (std::size_t at = 0; at < page_count; ++at) {
    if (getrandom(mapped + at * page(), 1, GRND_NONBLOCK) != 1) give_up("getrandom");
  }
  return mapped;
}

subject bare_locked() {
  return {.name = "bare, locked",
          .prepare = [] {},
          .allocate = lock_page,
          .deallocate = unlock_page,
          .noaccess = close_page,
          .readwrite = open_page};
}

subject bare_hidden() {
  return {.name = "bare, hidden",
          .prepare = [] {},
          .allocate = hide_page,
          .deallocate = unhide_page,
          .noaccess = close_page,
          .readwrite = open_page};
}

bool has_hidden_memory() {
  const auto file = static_cast<int>(syscall(SYS_memfd_secret, 0));
  if (file >= 0) (void)close(file);
  return file >= 0;
}

}  // namespace lockfast::bench
