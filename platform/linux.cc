// linux.cc - the Linux host: mmap, mprotect, mlock2, madvise, getrandom. Kernel 5.10 or newer.
//
// System calls that sanitizers intercept (mlock, mlock2, munlock) are made directly, so that a lock is a lock in every build.
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/single_threaded.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "platform/errno_kept.h"
#include "platform/platform.h"

namespace lockfast::platform {
namespace {

// What older headers do not name (linux/mman.h, linux/prctl.h, asm/unistd.h).
constexpr int advice_guard_install = 102;  // 6.13
constexpr int advice_guard_remove = 103;
constexpr long call_memfd_secret = 447;  // 5.14
constexpr long call_mseal = 462;         // 6.10
constexpr int prctl_set_vma = 0x53564d41;
constexpr unsigned long prctl_set_vma_name = 0;  // 5.17, where the kernel was built with it

error result_of(long result) { return result == 0 ? 0 : errno; }

int protection_of(access wanted) {
  switch (wanted) {
    case access::none: return PROT_NONE;
    case access::read: return PROT_READ;
    case access::read_write: return PROT_READ | PROT_WRITE;
  }
  __builtin_unreachable();
}

error advise(std::byte* address, std::size_t size, int advice) { return result_of(madvise(address, size, advice)); }

// Writes each page's first byte back to itself: the page is resident, and this process's own, from then on.
void touch(std::byte* address, std::size_t size) {
  const std::size_t step = page_size();
  for (std::size_t at = 0; at < size; at += step) {
    volatile std::byte* const byte = address + at;
    *byte = *byte;
  }
}

error lock_pages(const std::byte* address, std::size_t size) { return result_of(syscall(SYS_mlock, address, size)); }
error unlock_pages(const std::byte* address, std::size_t size) { return result_of(syscall(SYS_munlock, address, size)); }

// What every reservation gets before its first page is opened, while it is one map.
void settle_reservation(reservation& made, std::byte* address, std::size_t size, fork_policy policy) {
  made.address = address;
  // Under mlockall(MCL_FUTURE) the new map is locked from birth, its guard pages charged to the limit.
  (void)unlock_pages(address, size);
  made.dump = advise(address, size, MADV_DONTDUMP);
  if (policy == fork_policy::absent) made.fork = advise(address, size, MADV_DONTFORK);
  if (policy == fork_policy::wipe) made.fork = advise(address, size, MADV_WIPEONFORK);
  // Kernels without huge pages or merging refuse these with EINVAL, and then there is nothing to turn off.
  (void)advise(address, size, MADV_NOHUGEPAGE);
  (void)advise(address, size, MADV_UNMERGEABLE);
  (void)prctl(prctl_set_vma, prctl_set_vma_name, address, size, "lockfast");
}

// The whole of a small file, as text; empty when it cannot be read. In /proc, lines may come in any number of pieces.
class text_file {
 public:
  explicit text_file(const char* path) : descriptor_(open(path, O_RDONLY | O_CLOEXEC)) {}
  ~text_file() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  text_file(const text_file&) = delete;
  text_file& operator=(const text_file&) = delete;

  [[nodiscard]] std::span<const char> next_piece() {
    const ssize_t length = descriptor_ < 0 ? 0 : read(descriptor_, buffer_, sizeof buffer_);
    return {buffer_, length < 0 ? 0 : static_cast<std::size_t>(length)};
  }

 private:
  int descriptor_;
  char buffer_[4096];
};

// The user namespace of the system itself maps every user to itself.
bool in_initial_user_namespace() {
  text_file map("/proc/self/uid_map");
  const auto line = map.next_piece();
  std::size_t ids[3] = {1, 1, 0};
  std::size_t which = 0;
  bool in_number = false;
  for (const char character : line) {
    const bool digit = character >= '0' && character <= '9';
    if (digit && !in_number && which < 3) ids[which] = 0;
    if (digit && which < 3) ids[which] = ids[which] * 10 + static_cast<std::size_t>(character - '0');
    if (!digit && in_number) ++which;
    in_number = digit;
  }
  return ids[0] == 0 && ids[1] == 0 && ids[2] == UINT32_MAX;
}

// CAP_IPC_LOCK, in the initial user namespace, lifts RLIMIT_MEMLOCK (capabilities(7), user_namespaces(7)).
bool may_lock_without_limit() {
  __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {};
  return syscall(SYS_capget, &header, sets) == 0 && (sets[0].effective & (1U << CAP_IPC_LOCK)) != 0 &&
         in_initial_user_namespace();
}

}  // namespace

std::size_t page_size() {
  static constinit std::size_t size = 0;
  std::size_t known = __atomic_load_n(&size, __ATOMIC_RELAXED);
  if (known == 0) {
    known = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
    __atomic_store_n(&size, known, __ATOMIC_RELAXED);
  }
  return known;
}

// Not MAP_NORESERVE: an inaccessible map is not charged to the system's memory, and opening it then is, so that what can't be
// had is refused there, not found out by the out-of-memory killer. The charge also gives each opened run a map of its own
// (VM_ACCOUNT, mm/mprotect.c), whatever its access: closing it and opening it again needs no new one.
reservation reserve(std::size_t size, std::size_t alignment, fork_policy policy) {
  const errno_kept kept;
  reservation made;
  const std::size_t surplus = alignment > page_size() ? alignment : 0;
  if (size > PTRDIFF_MAX - surplus) {
    made.refusal = ENOMEM;
    return made;
  }
  void* const mapped = mmap(nullptr, size + surplus, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
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

void release(std::byte* address, std::size_t size) {
  const errno_kept kept;
  munmap(address, size);
}

error protect(std::byte* address, std::size_t size, access to) {
  const int saved = errno;
  if (mprotect(address, size, protection_of(to)) == 0) return 0;
  const error refusal = errno;
  errno = saved;
  return refusal;
}

// pkeys(7). The rights register is read and written directly: not every C library has pkey_get and pkey_set.
#if defined(__x86_64__)
namespace {

constexpr unsigned deny_access = 1;
constexpr unsigned deny_write = 2;

unsigned key_rights() {
  unsigned rights = 0;
  unsigned unused = 0;
  __asm__ volatile("rdpkru" : "=a"(rights), "=d"(unused) : "c"(0));
  return rights;
}

void set_key_rights(unsigned rights) { __asm__ volatile("wrpkru" : : "a"(rights), "c"(0), "d"(0) : "memory"); }

}  // namespace

key take_key() {
  const errno_kept kept;
  const long taken = syscall(SYS_pkey_alloc, 0, 0);
  return taken > 0 ? static_cast<key>(taken) : no_key;
}

error protect_by_key(std::byte* address, std::size_t size, access to, key through) {
  const errno_kept kept;
  return result_of(syscall(SYS_pkey_mprotect, address, size, protection_of(to), through));
}

void set_key_access(key of, access to) {
  const unsigned shift = 2 * static_cast<unsigned>(of);
  const unsigned denied = to == access::none ? deny_access | deny_write : to == access::read ? deny_write : 0;
  set_key_rights((key_rights() & ~((deny_access | deny_write) << shift)) | denied << shift);
}

access key_access(key of) {
  const unsigned denied = key_rights() >> (2 * static_cast<unsigned>(of));
  if ((denied & deny_access) != 0) return access::none;
  return (denied & deny_write) != 0 ? access::read : access::read_write;
}
#else
key take_key() { return no_key; }
error protect_by_key(std::byte*, std::size_t, access, key) { return ENOTSUP; }
void set_key_access(key, access) {}
access key_access(key) { return access::read_write; }
#endif

// MLOCK_ONFAULT, then a touch: the pages are as resident as mlock leaves them, and later changes of access cost less, since
// the kernel (mm/mprotect.c) walks a fully locked map again whenever it becomes writable.
error lock(std::byte* address, std::size_t size) {
  const errno_kept kept;
  error refusal = result_of(syscall(SYS_mlock2, address, size, MLOCK_ONFAULT));
  // Older kernels, emulators and system call filters may not know mlock2.
  if (refusal != 0 && refusal != ENOMEM && refusal != EAGAIN) refusal = lock_pages(address, size);
  if (refusal == 0) {
    touch(address, size);
  } else {
    (void)unlock_pages(address, size);  // a refused mlock can leave the map charged
  }
  return refusal;
}

error unlock(std::byte* address, std::size_t size) {
  const errno_kept kept;
  return result_of(unlock_pages(address, size));
}

void discard(std::byte* address, std::size_t size) {
  const errno_kept kept;
  (void)advise(address, size, MADV_DONTNEED);
}

error lock_again(std::byte* address, std::size_t size) {
  const error refusal = lock(address, size);
  touch(address, size);
  return refusal;
}

// ---- Hidden memory ----------------------------------------------------------------------------------------------------------

namespace {

// The descriptor of memfd_secret(2): whoever takes it (pidfd_getfd) has the pages too, so it lives for as few calls as can be.
class secret_file {
 public:
  explicit secret_file(std::size_t size) : descriptor_(static_cast<int>(syscall(call_memfd_secret, O_CLOEXEC))) {
    if (descriptor_ >= 0 && size != 0 && ftruncate(descriptor_, static_cast<off_t>(size)) != 0) refusal_ = errno;
    if (descriptor_ < 0) refusal_ = errno;
  }
  ~secret_file() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  secret_file(const secret_file&) = delete;
  secret_file& operator=(const secret_file&) = delete;

  [[nodiscard]] error refusal() const { return refusal_; }
  [[nodiscard]] void* map(void* address, std::size_t size, int flags) const {
    return mmap(address, size, PROT_READ | PROT_WRITE, MAP_SHARED | flags, descriptor_, 0);
  }

 private:
  int descriptor_;
  error refusal_ = 0;
};

// Has the kernel write a byte of each page: where a page can't be had it fails with EFAULT, and a store of ours would be
// SIGBUS (kernels with per-user accounting: 6.1.192, 6.12.117, 7.2).
bool populate(std::byte* address, std::size_t size) {
  for (std::size_t at = 0; at < size; at += page_size()) {
    if (syscall(SYS_getrandom, address + at, 1, GRND_NONBLOCK) != 1) return false;
    *(address + at) = std::byte{0};
  }
  return true;
}

// A map in reserve, of its own kind, so that it never joins another. Hiding a page in the middle of a map can take the number of
// maps one past the limit (mm/vma.c looks once, then splits twice), where the kernel makes none at all, not even in another's
// place: what was hidden could not be given back. Given up then, and taken again.
constinit std::atomic<void*> map_in_reserve = nullptr;

void keep_map_in_reserve() {
  if (map_in_reserve.load(std::memory_order_relaxed) != nullptr) return;
  void* const mapped = mmap(nullptr, page_size(), PROT_NONE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  void* none = nullptr;
  if (mapped != MAP_FAILED && !map_in_reserve.compare_exchange_strong(none, mapped)) munmap(mapped, page_size());
}

// Puts inaccessible anonymous memory over whatever is there.
bool cover(std::byte* address, std::size_t size) {
  const auto covered = [&] {
    return mmap(address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == address;
  };
  if (covered()) return true;
  void* const given_up = map_in_reserve.exchange(nullptr);
  if (given_up == nullptr) return false;
  munmap(given_up, page_size());
  const bool done = covered();
  keep_map_in_reserve();
  return done;
}

}  // namespace

error hiding_error() {
  const errno_kept kept;
  return secret_file(0).refusal();
}

bool may_hibernate() {
  const errno_kept kept;
  constexpr char disk[] = {'d', 'i', 's', 'k'};
  text_file states("/sys/power/state");
  const auto words = states.next_piece();
  bool to_disk = false;
  for (std::size_t at = 0; at + sizeof disk <= words.size(); ++at) to_disk |= memcmp(words.data() + at, disk, sizeof disk) == 0;
  // The device of the image, as major:minor; 0:0 where none is set.
  text_file resume("/sys/power/resume");
  bool device = false;
  for (const char character : resume.next_piece()) device |= character >= '1' && character <= '9';
  return to_disk && device;
}

error hide(std::byte* address, std::size_t size, fork_policy policy) {
  const errno_kept kept;
  const secret_file file(size);
  if (file.refusal() != 0) return file.refusal();
  keep_map_in_reserve();
  error refusal = file.map(address, size, MAP_FIXED) == address ? 0 : errno;
  if (refusal == 0) refusal = advise(address, size, MADV_DONTFORK);
  if (refusal == 0 && !populate(address, size)) refusal = ENOMEM;
  if (refusal == 0) return 0;
  // A map over the limit is refused when what was there is gone already (mm/secretmem.c).
  reservation again;
  if (cover(address, size)) settle_reservation(again, address, size, policy);
  return refusal;
}

error unhide(std::byte* address, std::size_t size, fork_policy policy) {
  const errno_kept kept;
  if (!cover(address, size)) return errno;
  reservation again;
  settle_reservation(again, address, size, policy);
  return 0;
}

std::byte* map_shared_hidden(std::size_t size) {
  const errno_kept kept;
  const secret_file file(size);
  if (file.refusal() != 0) return nullptr;
  void* const mapped = file.map(nullptr, size, 0);
  if (mapped == MAP_FAILED) return nullptr;
  auto* const pages = static_cast<std::byte*>(mapped);
  if (populate(pages, size)) return pages;
  munmap(mapped, size);
  return nullptr;
}

error move_hidden(std::byte* from, std::byte* to, std::size_t size) {
  const errno_kept kept;
  if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) return errno;
  return advise(to, size, MADV_DONTFORK);
}

// ---- Guard markers ----------------------------------------------------------------------------------------------------------

bool has_guard_markers() {
  static constinit int known = -1;
  int has = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (has < 0) {
    const errno_kept kept;
    void* const mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    // Under MCL_FUTURE the new map is locked, and refuses markers: then they are of no use.
    has = mapped != MAP_FAILED && madvise(mapped, page_size(), advice_guard_install) == 0 ? 1 : 0;
    if (mapped != MAP_FAILED) munmap(mapped, page_size());
    __atomic_store_n(&known, has, __ATOMIC_RELAXED);
  }
  return has == 1;
}

error mark(std::byte* address, std::size_t size) {
  const errno_kept kept;
  error refusal = result_of(mprotect(address, size, PROT_READ | PROT_WRITE));
  // Markers first, then the lock: a locked map takes none, and mlock without ONFAULT fails at the first of them.
  if (refusal == 0) refusal = advise(address, size, advice_guard_install);
  if (refusal == 0) refusal = result_of(syscall(SYS_mlock2, address, size, MLOCK_ONFAULT));
  if (refusal == 0) return 0;
  (void)unlock_pages(address, size);
  (void)advise(address, size, advice_guard_remove);
  (void)mprotect(address, size, PROT_NONE);
  return refusal;
}

error unmark(std::byte* address, std::size_t size) {
  const errno_kept kept;
  const error refusal = advise(address, size, advice_guard_remove);
  if (refusal == 0) touch(address, size);
  return refusal;
}

error mark_again(std::byte* address, std::size_t size) {
  const errno_kept kept;
  error refusal = unlock_pages(address, size);
  if (refusal == 0) refusal = advise(address, size, advice_guard_install);
  if (refusal == 0) refusal = result_of(syscall(SYS_mlock2, address, size, MLOCK_ONFAULT));
  return refusal;
}

error lock_marked_again(std::byte* address, std::size_t size) {
  const errno_kept kept;
  return result_of(syscall(SYS_mlock2, address, size, MLOCK_ONFAULT));
}

void seal(std::byte* address, std::size_t size) {
  const errno_kept kept;
  (void)syscall(call_mseal, address, size, 0);
}

reservation reserve_again(std::byte* address, std::size_t size, fork_policy policy) {
  const errno_kept kept;
  reservation made;
  const void* const mapped = mmap(address, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  if (mapped == address) {
    settle_reservation(made, address, size, policy);
  } else {
    made.refusal = mapped == MAP_FAILED ? errno : EEXIST;
  }
  return made;
}

error lock_foreign(std::byte* address, std::size_t size) {
  const errno_kept kept;
  return result_of(lock_pages(address, size));
}

error unlock_foreign(std::byte* address, std::size_t size) {
  const errno_kept kept;
  return result_of(unlock_pages(address, size));
}

error conceal(std::byte* address, std::size_t size) {
  const errno_kept kept;
  return advise(address, size, MADV_DONTDUMP);
}

error reveal(std::byte* address, std::size_t size) {
  const errno_kept kept;
  return advise(address, size, MADV_DODUMP);
}

void raise_lock_limit() {
  const errno_kept kept;
  rlimit limit;
  if (getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  (void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

std::size_t lock_limit() {
  const errno_kept kept;
  rlimit limit;
  if (may_lock_without_limit() || getrlimit(RLIMIT_MEMLOCK, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return SIZE_MAX;
  return limit.rlim_cur < SIZE_MAX ? static_cast<std::size_t>(limit.rlim_cur) : SIZE_MAX;
}

std::size_t maps_used() {
  const errno_kept kept;
  std::size_t lines = 0;
  text_file maps("/proc/self/maps");
  for (auto piece = maps.next_piece(); !piece.empty(); piece = maps.next_piece()) {
    for (const char character : piece) lines += character == '\n';
  }
  return lines;
}

std::size_t map_limit() {
  const errno_kept kept;
  std::size_t limit = 0;
  text_file setting("/proc/sys/vm/max_map_count");
  for (const char character : setting.next_piece()) {
    if (character < '0' || character > '9') break;
    limit = limit * 10 + static_cast<std::size_t>(character - '0');
  }
  return limit == 0 ? SIZE_MAX : limit;
}

// A locked page refuses MADV_PAGEOUT with EINVAL (madvise(2), Linux 5.4); an emulator that fakes mlock accepts it.
bool locks_are_real() {
  const errno_kept kept;
  const std::size_t size = page_size();
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  auto* const page = static_cast<std::byte*>(mapped);
  const bool real = lock_pages(page, size) == 0 && advise(page, size, MADV_PAGEOUT) == EINVAL;
  munmap(page, size);
  return real;
}

void random(std::span<std::byte> out) {
  const errno_kept kept;
  while (!out.empty()) {
    const ssize_t length = getrandom(out.data(), out.size(), 0);
    if (length > 0) {
      out = out.subspan(static_cast<std::size_t>(length));
    } else if (errno != EINTR) {
      constexpr char line[] = "lockfast: the system has no random bytes\n";
      write_line({line, sizeof line - 1});
      terminate();
    }
  }
}

void overwrite(std::span<std::byte> over) {
  const errno_kept kept;
  constexpr std::size_t most = 256;  // what the kernel neither cuts short nor lets a signal interrupt (getrandom(2))
  for (; !over.empty(); over = over.subspan(over.size() < most ? over.size() : most)) {
    (void)syscall(SYS_getrandom, over.data(), over.size() < most ? over.size() : most, GRND_NONBLOCK);
  }
}

bool single_threaded() { return __libc_single_threaded != 0; }

const char* options_variable() { return secure_getenv("LOCKFAST_OPTIONS"); }

}  // namespace lockfast::platform
