// filter.cc - the look at the filters, and the child that tries what they kill for.
#include "platform/linux/filter.h"

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstddef>
#include <span>
#include <string_view>

#include "platform/errno_saver.h"
#include "platform/linux/calls.h"
#include "platform/linux/proc_file.h"
#include "platform/one_look.h"
#include "platform/thread_local.h"

namespace lockfast::platform {
namespace {

constexpr int not_known = -1;
constexpr auto call_count = static_cast<unsigned>(risky_call::count);

using call_set = std::uint32_t;  // a bit for each call
constexpr call_set every_call = (call_set{1} << call_count) - 1;
static_assert(call_count < 32);

constexpr call_set set_of(risky_call call) { return call_set{1} << static_cast<unsigned>(call); }

// How many filters the first look found, and which calls they kill for: written before the count.
constinit std::atomic<int> first_filters = not_known;
constinit std::atomic<call_set> fatal_calls = 0;
constinit std::atomic<int> latest_filters = not_known;

// What this thread's one_look has seen.
struct seen_by_look {
  bool wanted;
  bool seen;
  call_set fatal;
  error refusal;
};
LOCKFAST_OF_THREAD seen_by_look latest_look = {};

// ---- The look -------------------------------------------------------------------------------------------------------------

// The piece from the first wanted line on, or all of it where it has none. To read the forty lines in front character by character
// takes a sixth of the whole look.
std::span<const char> from_first_line(std::span<const char> piece) {
  // Not by memmem, which takes some 300 bytes of stack in glibc.
  const std::size_t found = std::string_view(piece.data(), piece.size()).find("\nSeccomp");
  return found == std::string_view::npos ? piece : piece.subspan(found);
}

// How many filters this thread has; not_known, and errno, where the system does not say.
int count_filters() {
  text_file status("/proc/thread-self/status");
  if (!status.opened()) return not_known;
  status_field mode("Seccomp:");
  status_field filters("Seccomp_filters:");
  bool readable = false;
  // What comes behind the two lines is left: to read it takes more calls.
  while (!filters.is_read()) {
    const auto piece = status.next_piece();
    if (piece.empty()) break;
    readable = true;
    for (const char character : from_first_line(piece)) {
      mode.see(character);
      filters.see(character);
    }
  }
  if (!readable) return not_known;
  // A kernel without filters has neither line, and an older one no count.
  if (mode.value() == 0) return 0;
  return filters.value() == 0 ? 1 : static_cast<int>(filters.value());
}

// ---- The trial --------------------------------------------------------------------------------------------------------------

void block_signals_but(std::uint64_t unblocked, std::uint64_t* before) {
  const std::uint64_t blocked = ~unblocked;
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &blocked, before, sizeof blocked);
}

// Makes a call in such a way that it changes nothing but the child.
void make(risky_call call) {
  switch (call) {
    case risky_call::limit_core: {
      // A limit of 1 byte keeps the kernel from starting a program that takes the dump, too (core(5)).
      const rlimit least = {1, 1};
      (void)setrlimit(RLIMIT_CORE, &least);
      break;
    }
    case risky_call::forbid_dump: (void)syscall(SYS_prctl, PR_SET_DUMPABLE, 0L, 0L, 0L, 0L); break;
    case risky_call::await_child: (void)syscall(SYS_wait4, -1L, nullptr, WNOHANG | __WCLONE, nullptr); break;
    case risky_call::name_map: (void)syscall(SYS_prctl, prctl_set_vma, prctl_set_vma_name, 0L, 0L, 0L); break;
    case risky_call::memfd_secret: {
      const long made = syscall(call_memfd_secret, O_CLOEXEC);
      (void)syscall(SYS_ftruncate, made, 0L);
      break;
    }
    case risky_call::lock_on_fault: (void)syscall(SYS_mlock2, 0L, 0L, MLOCK_ONFAULT); break;
    case risky_call::seal: (void)syscall(call_mseal, 0L, 0L, 0L); break;
#if defined(SYS_pkey_alloc)
    case risky_call::take_key: (void)syscall(SYS_pkey_alloc, 0L, 0L); break;
    case risky_call::give_key: (void)syscall(SYS_pkey_mprotect, 0L, 0L, PROT_NONE, 0L); break;
#endif
    case risky_call::move_map: (void)syscall(SYS_mremap, 0L, 0L, 0L, 0L, 0L); break;
    case risky_call::give_way: (void)syscall(SYS_sched_yield); break;
    case risky_call::write_memory: (void)syscall(SYS_pwritev, -1L, nullptr, 0L, 0L, 0L); break;
    default: break;
  }
}

// The child, alone in a copy of this process's memory, with system calls alone. Leaves which call it is at for the parent to find.
[[noreturn]] void try_calls(volatile unsigned* at, unsigned first, call_set known) {
  // Blocked, a SIGSYS that the filter sends ends the child, and no handler of the program runs in it.
  block_signals_but(0, nullptr);
  for (const risky_call quiet : {risky_call::limit_core, risky_call::forbid_dump}) {
    if (static_cast<unsigned>(quiet) < first && (known & set_of(quiet)) == 0) make(quiet);
  }
  for (unsigned index = first; index < call_count; ++index) {
    *at = index;
    make(static_cast<risky_call>(index));
  }
  *at = call_count;
  for (;;) (void)syscall(SYS_exit_group, 0L);
}

// clone(2) as fork makes it, but that nobody is told of the child: no signal at its end, no tracer. This thread sleeps until the
// child is gone. Not in the same memory: before Linux 5.16 a filter that kills ends every process that shares it.
long begin_child() {
  constexpr unsigned long flags = CLONE_VFORK | CLONE_UNTRACED;
#if defined(__s390__)
  return syscall(SYS_clone, 0L, flags, 0L, 0L, 0L);
#else
  return syscall(SYS_clone, flags, 0L, 0L, 0L, 0L);
#endif
}

// Has children make the calls, one for each death and one more; false when that can't be done.
bool find_fatal_calls(call_set& found) {
  constexpr std::size_t size = sizeof(unsigned);
  void* const shared = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED) return false;
  auto* const at = static_cast<volatile unsigned*>(shared);
  std::uint64_t before = 0;
  // Not SIGSYS: a filter may have it sent for clone, to a handler of the program that knows what to do.
  block_signals_but(std::uint64_t{1} << (SIGSYS - 1), &before);
  found = 0;
  bool begun = true;
  for (unsigned first = 0; begun && first < call_count; first = *at + 1) {
    *at = first;
    const long child = begin_child();
    if (child == 0) try_calls(at, first, found);
    begun = child > 0;
    if (!begun) break;
    if (*at < call_count) found |= call_set{1} << *at;
    // Where waiting kills, the dead child stays in the system's list until this process ends.
    const bool may_wait =
        *at > static_cast<unsigned>(risky_call::await_child) && (found & set_of(risky_call::await_child)) == 0;
    while (may_wait && syscall(SYS_wait4, child, nullptr, __WCLONE, nullptr) < 0 && errno == EINTR) {
    }
  }
  (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &before, nullptr, sizeof before);
  munmap(shared, size);
  return begun;
}

// Whether the program has used its descriptors up. A sandbox may have set the limit to none.
bool out_of_descriptors(error refusal) {
  rlimit limit = {};
  return (refusal == EMFILE || refusal == ENFILE) && getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur != 0;
}

struct fatal {
  call_set calls;
  error refusal = EPERM;  // what to say of them
};

fatal fatal_now() {
  int filters = count_filters();
  const error reading = errno;
  if (filters == not_known && out_of_descriptors(reading)) filters = latest_filters.load(std::memory_order_relaxed);
  latest_filters.store(filters, std::memory_order_relaxed);
  if (filters == not_known) return {every_call, reading == EMFILE || reading == ENFILE ? reading : EPERM};
  int first = first_filters.load(std::memory_order_acquire);
  if (filters == 0) {
    if (first == not_known) (void)first_filters.compare_exchange_strong(first, 0, std::memory_order_release);
    return {0};
  }
  if (first == not_known) {
    call_set found = 0;
    if (!find_fatal_calls(found)) return {every_call};
    fatal_calls.store(found, std::memory_order_relaxed);
    (void)first_filters.compare_exchange_strong(first, filters, std::memory_order_release);
    first = filters;
  }
  return {filters == first ? fatal_calls.load(std::memory_order_relaxed) : every_call};
}

}  // namespace

error forbidden(risky_call call) {
  seen_by_look& look = of_thread(latest_look);
  if (!look.seen) {
    const errno_saver kept;
    const fatal now = fatal_now();
    look = {look.wanted, look.wanted, now.calls, now.refusal};
  }
  return (look.fatal & set_of(call)) == 0 ? 0 : look.refusal;
}

one_look::one_look() { of_thread(latest_look) = {true, false, 0, 0}; }
one_look::~one_look() { of_thread(latest_look) = {}; }

bool survived(risky_call call) { return (fatal_calls.load(std::memory_order_relaxed) & set_of(call)) == 0; }

}  // namespace lockfast::platform
