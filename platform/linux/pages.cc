// pages.cc - what Linux does its own way with pages: mlock2, madvise, mseal.
//
// System calls that sanitizers intercept (mlock, mlock2, munlock) are made directly, so that a lock is a lock in every build.
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>

#include "platform/errno_saver.h"
#include "platform/linux/madvise.h"
#include "platform/linux/calls.h"
#include "platform/linux/filter.h"
#include "platform/linux/lock.h"
#include "platform/posix/pages.h"

namespace lockfast::platform {
namespace {

constexpr int advice_of_nobody = -1;
constexpr int advice_populate_write = 23;  // Linux 5.14; older headers do not name it (linux/mman.h)

// A call that the kernel does not know: some emulators (valgrind) write a line for each time that it is made.
class unknown_call {
 public:
  [[nodiscard]] bool known() const { return known_.load(std::memory_order_relaxed); }
  void remember(long result) {
    if (result < 0 && errno == ENOSYS) known_.store(true, std::memory_order_relaxed);
  }

 private:
  std::atomic<bool> known_ = false;
};

constinit unknown_call unknown_mlock2;
constinit unknown_call unknown_mseal;
constinit std::atomic<bool> names_are_unknown = false;  // a kernel without CONFIG_ANON_VMA_NAME: EINVAL, for every name

// Shows "[anon:lockfast]" in /proc/PID/maps. To look at the filters takes longer than the call itself: so a kernel that has no
// names is asked once.
void name_map(std::byte* address, std::size_t size) {
  if (names_are_unknown.load(std::memory_order_relaxed) || forbidden(risky_call::name_map) != 0) return;
  const bool refused = prctl(prctl_set_vma, prctl_set_vma_name, address, size, "lockfast") != 0;
  if (refused && errno == EINVAL) names_are_unknown.store(true, std::memory_order_relaxed);
}

// Faults accessible pages in, which this process has by itself from then on. A page alone is touched as quickly.
void populate(std::byte* address, std::size_t size) {
  const bool is_done = size > page_size() && advise_truly(address, size, advice_populate_write) == 0;
  if (!is_done) touch(address, size);
}

}  // namespace

const int flags_of_reservations = 0;
const int flags_of_exact_place = MAP_FIXED_NOREPLACE;

bool advice_is_followed() {
  static constinit int known = -1;
  int is = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (is < 0) {
    const errno_saver kept;
    void* const mapped = mmap(nullptr, page_size(), PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    is = mapped == MAP_FAILED || madvise(mapped, page_size(), advice_of_nobody) != 0 ? 1 : 0;
    if (mapped != MAP_FAILED) munmap(mapped, page_size());
    __atomic_store_n(&known, is, __ATOMIC_RELAXED);
  }
  return is == 1;
}

error advise_truly(std::byte* address, std::size_t size, int advice) {
  return advice_is_followed() ? advise(address, size, advice) : ENOTSUP;
}

error lock_pages(const std::byte* address, std::size_t size) { return result_of(syscall(SYS_mlock, address, size)); }
error unlock_pages(const std::byte* address, std::size_t size) { return result_of(syscall(SYS_munlock, address, size)); }

void settle_reservation(reservation& made, std::byte* address, std::size_t size, fork_policy policy) {
  made.address = address;
  // Under mlockall(MCL_FUTURE) the new map is locked from birth, its guard pages charged to the limit.
  (void)unlock_pages(address, size);
  made.dump = advise_truly(address, size, MADV_DONTDUMP);
  if (policy == fork_policy::absent) made.fork = advise_truly(address, size, MADV_DONTFORK);
  if (policy == fork_policy::wipe) made.fork = advise_truly(address, size, MADV_WIPEONFORK);
  // Kernels without huge pages or merging refuse these with EINVAL, and then there is nothing to turn off.
  (void)advise(address, size, MADV_NOHUGEPAGE);
  (void)advise(address, size, MADV_UNMERGEABLE);
  name_map(address, size);
}

error lock_on_fault(std::byte* address, std::size_t size) {
  if (unknown_mlock2.known()) return ENOSYS;
  if (const error refusal = forbidden(risky_call::lock_on_fault); refusal != 0) return refusal;
  const long result = syscall(SYS_mlock2, address, size, MLOCK_ONFAULT);
  unknown_mlock2.remember(result);
  return result_of(result);
}

// MLOCK_ONFAULT, then a touch: the pages are as resident as mlock leaves them, and later changes of access cost less, since
// the kernel (mm/mprotect.c) walks a fully locked map again whenever it becomes writable.
error lock(std::byte* address, std::size_t size) {
  const errno_saver kept;
  error refusal = lock_on_fault(address, size);
  // Emulators and system call filters may not know mlock2.
  if (refusal != 0 && refusal != ENOMEM && refusal != EAGAIN) refusal = lock_pages(address, size);
  if (refusal == 0) {
    populate(address, size);
  } else {
    (void)unlock_pages(address, size);  // a refused mlock can leave the map charged
  }
  return refusal;
}

void discard(std::byte* address, std::size_t size) {
  const errno_saver kept;
  (void)advise(address, size, MADV_DONTNEED);
}

void seal(std::byte* address, std::size_t size) {
  const errno_saver kept;
  if (unknown_mseal.known() || forbidden(risky_call::seal) != 0) return;
  unknown_mseal.remember(syscall(call_mseal, address, size, 0));
}

error conceal(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return advise_truly(address, size, MADV_DONTDUMP);
}

error reveal(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return advise_truly(address, size, MADV_DODUMP);
}

// A locked page refuses MADV_PAGEOUT with EINVAL (madvise(2), Linux 5.4); an emulator that fakes mlock accepts it.
bool locks_are_real() {
  const errno_saver kept;
  const std::size_t size = page_size();
  void* const mapped = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  auto* const page = static_cast<std::byte*>(mapped);
  const bool real = lock_pages(page, size) == 0 && advise(page, size, MADV_PAGEOUT) == EINVAL;
  munmap(page, size);
  return real;
}

}  // namespace lockfast::platform
