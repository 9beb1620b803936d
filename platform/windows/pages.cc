// pages.cc - the memory of Windows: VirtualAlloc, VirtualProtect, VirtualLock, BCryptGenRandom. Windows 7 or newer.
//
// Address space is given out in units of 64 KiB, pages of 4 KiB. A page that was never opened, or was discarded, is reserved: there
// is no memory behind it, and it counts against nothing; opening it commits it. What is left over of a unit stays reserved.
#include <windows.h>

#include <bcrypt.h>

#include <cstdint>
#include <cstdlib>

#include "platform/errno_saver.h"
#include "platform/windows/lock_quota.h"
#include "platform/platform.h"
#include "platform/windows/error.h"

namespace lockfast::platform {
namespace {

DWORD protection_of(access wanted) {
  switch (wanted) {
    case access::none: return PAGE_NOACCESS;
    case access::read: return PAGE_READONLY;
    case access::read_write: return PAGE_READWRITE;
  }
  __builtin_unreachable();
}

// 0, or the refusal of a call that returns nonzero when it is done.
error result_of(BOOL done) { return done != 0 ? 0 : last_error(); }

error protect_committed(void* address, std::size_t size, DWORD protection) {
  DWORD before = 0;
  return result_of(VirtualProtect(address, size, protection, &before));
}

// Closes pages of which some may be reserved only, and so closed.
error close(std::byte* address, std::size_t size) {
  for (const std::byte* const end = address + size; address < end;) {
    MEMORY_BASIC_INFORMATION found = {};
    if (VirtualQuery(address, &found, sizeof found) == 0) return last_error();
    const auto stop = static_cast<std::byte*>(found.BaseAddress) + found.RegionSize;
    const auto piece = static_cast<std::size_t>((stop < end ? stop : end) - address);
    if (found.State == MEM_COMMIT) {
      if (const auto refusal = protect_committed(address, piece, PAGE_NOACCESS); refusal != 0) return refusal;
    }
    address += piece;
  }
  return 0;
}

// ---- Error reports ----------------------------------------------------------------------------------------------------------

using exclude_call = HRESULT(WINAPI*)(const void*, DWORD);
using include_call = HRESULT(WINAPI*)(const void*);

// Of kernel32, by name: Windows has them since version 10 of 2017.
template <class Call>
Call of_kernel(const char* name) {
  return reinterpret_cast<Call>(reinterpret_cast<void*>(GetProcAddress(GetModuleHandleW(L"kernel32.dll"), name)));
}

// The list that the system keeps has few entries (WER_MAX_REGISTERED_ENTRIES, 512), one for each reservation here.
error exclude_from_reports(const std::byte* address, std::size_t size) {
  const auto exclude = of_kernel<exclude_call>("WerRegisterExcludedMemoryBlock");
  if (exclude == nullptr) return ENOTSUP;
  if (size > UINT32_MAX) return EFBIG;
  return SUCCEEDED(exclude(address, static_cast<DWORD>(size))) ? 0 : ENOSPC;
}

void include_in_reports(const std::byte* address) {
  const auto include = of_kernel<include_call>("WerUnregisterExcludedMemoryBlock");
  if (include != nullptr) (void)include(address);
}

// ---- Locks ------------------------------------------------------------------------------------------------------------------

constinit mutex working_set_mutex;

bool all_accessible(const std::byte* address, std::size_t size) {
  MEMORY_BASIC_INFORMATION found = {};
  for (const std::byte* const end = address + size; address < end;) {
    if (VirtualQuery(address, &found, sizeof found) == 0 || found.State != MEM_COMMIT || found.Protect == PAGE_NOACCESS) {
      return false;
    }
    address = static_cast<const std::byte*>(found.BaseAddress) + found.RegionSize;
  }
  return true;
}

struct process_memory {
  // Wine says of its system's limit that access is denied, and the same of what is not mapped.
  error lock(std::byte* address, std::size_t size) {
    if (VirtualLock(address, size) != 0) return 0;
    if (GetLastError() != ERROR_ACCESS_DENIED) return last_error();
    return all_accessible(address, size) ? EPERM : ENOMEM;
  }

  bool raise(std::size_t by) {
    working_set_mutex.lock();
    SIZE_T least = 0;
    SIZE_T most = 0;
    bool raised = GetProcessWorkingSetSize(GetCurrentProcess(), &least, &most) != 0;
    if (raised) {
      least += by;
      if (most < least + quota_surplus) most = least + quota_surplus;
      raised = SetProcessWorkingSetSize(GetCurrentProcess(), least, most) != 0;
    }
    working_set_mutex.unlock();
    return raised;
  }
};

// Pages of which some may have lost their lock: what was closed has (STATUS_WAS_UNLOCKED), and then the call unlocks none.
error unlock_pages(std::byte* address, std::size_t size) {
  if (VirtualUnlock(address, size) != 0) return 0;
  if (GetLastError() != ERROR_NOT_LOCKED) return last_error();
  for (std::size_t at = 0; at < size; at += page_size()) (void)VirtualUnlock(address + at, page_size());
  return 0;
}

}  // namespace

std::size_t page_size() {
  static constinit std::size_t known = 0;
  std::size_t size = __atomic_load_n(&known, __ATOMIC_RELAXED);
  if (size == 0) {
    SYSTEM_INFO machine;
    GetSystemInfo(&machine);
    size = machine.dwPageSize;
    __atomic_store_n(&known, size, __ATOMIC_RELAXED);
  }
  return size;
}

// What is reserved too much for the sake of the alignment stays so: Windows gives a reservation back only as a whole.
reservation reserve(std::size_t size, std::size_t alignment, fork_policy) {
  const errno_saver kept;
  constexpr std::size_t unit = std::size_t{64} << 10;
  reservation made;
  const std::size_t surplus = alignment > unit ? alignment - unit : 0;
  if (size > PTRDIFF_MAX - surplus) {
    made.refusal = ENOMEM;
    return made;
  }
  void* const reserved = VirtualAlloc(nullptr, size + surplus, MEM_RESERVE, PAGE_NOACCESS);
  if (reserved == nullptr) {
    // Of more than the address space has it says that the size is no valid one.
    made.refusal = GetLastError() == ERROR_INVALID_PARAMETER ? ENOMEM : last_error();
    return made;
  }
  const auto start = reinterpret_cast<std::uintptr_t>(reserved);
  made.address = static_cast<std::byte*>(reserved) + (alignment - start % alignment) % alignment;
  made.dump = exclude_from_reports(made.address, size);
  return made;
}

void release(std::byte* address, std::size_t) {
  const errno_saver kept;
  include_in_reports(address);
  MEMORY_BASIC_INFORMATION found = {};
  if (VirtualQuery(address, &found, sizeof found) != 0) (void)VirtualFree(found.AllocationBase, 0, MEM_RELEASE);
}

error protect(std::byte* address, std::size_t size, access to) {
  const errno_saver kept;
  const error refusal = protect_committed(address, size, protection_of(to));
  if (refusal == 0) return 0;
  if (to == access::none) return close(address, size);
  return result_of(VirtualAlloc(address, size, MEM_COMMIT, protection_of(to)) != nullptr);
}

error lock(std::byte* address, std::size_t size) {
  const errno_saver kept;
  process_memory memory;
  return lock_growing(memory, address, size);
}

// The system takes the lock off what becomes inaccessible (ntstatus.h, STATUS_WAS_UNLOCKED), and locks nothing that is.
error closed_lock_error() { return ENOTSUP; }

error lock_briefly(std::byte* address, std::size_t size) { return lock(address, size); }

error unlock(std::byte* address, std::size_t size) {
  const errno_saver kept;
  return unlock_pages(address, size);
}

// What is open is committed anew, at once.
void discard(std::byte* address, std::size_t size) {
  const errno_saver kept;
  MEMORY_BASIC_INFORMATION found = {};
  const bool open =
      VirtualQuery(address, &found, sizeof found) != 0 && found.State == MEM_COMMIT && found.Protect != PAGE_NOACCESS;
  (void)VirtualFree(address, size, MEM_DECOMMIT);
  if (open) (void)VirtualAlloc(address, size, MEM_COMMIT, found.Protect);
}

bool discards_before_closing() { return false; }

// ---- In a forked child, of which there is none: as what they are named for -------------------------------------------------

error lock_again(std::byte* address, std::size_t size) { return lock(address, size); }

reservation reserve_again(std::byte* address, std::size_t size, fork_policy) {
  const errno_saver kept;
  reservation made;
  if (VirtualAlloc(address, size, MEM_RESERVE, PAGE_NOACCESS) == nullptr) {
    made.refusal = GetLastError() == ERROR_INVALID_ADDRESS ? EEXIST : last_error();
    return made;
  }
  made.address = address;
  made.dump = exclude_from_reports(address, size);
  return made;
}

reservation reserve_over(std::byte*, std::size_t, fork_policy) { return {nullptr, ENOTSUP}; }

// ---- The caller's own memory ------------------------------------------------------------------------------------------------

error lock_foreign(std::byte* address, std::size_t size) { return lock(address, size); }

error unlock_foreign(std::byte* address, std::size_t size) { return unlock(address, size); }

// The list of what reports leave out is short, and is kept for reservations.
error conceal(std::byte*, std::size_t) { return ENOTSUP; }
error reveal(std::byte*, std::size_t) { return ENOTSUP; }

// ---- Limits -----------------------------------------------------------------------------------------------------------------

// Done where a lock is refused: who knows of how much.
void raise_lock_limit() {}

// How far the working set can grow depends on the machine: no further than its memory.
std::size_t lock_limit() {
  const errno_saver kept;
  MEMORYSTATUSEX machine = {};
  machine.dwLength = sizeof machine;
  return GlobalMemoryStatusEx(&machine) != 0 ? static_cast<std::size_t>(machine.ullTotalPhys) : SIZE_MAX;
}

bool may_lock(std::size_t size) { return size <= lock_limit(); }

// Of memory and page files what may be committed, but no more than the machine's memory.
std::size_t memory_available() {
  const errno_saver kept;
  MEMORYSTATUSEX machine = {};
  machine.dwLength = sizeof machine;
  if (GlobalMemoryStatusEx(&machine) == 0) return SIZE_MAX;
  const auto most = machine.ullAvailPageFile < machine.ullTotalPhys ? machine.ullAvailPageFile : machine.ullTotalPhys;
  return static_cast<std::size_t>(most);
}

std::size_t maps_used() { return 0; }
std::size_t map_limit() { return SIZE_MAX; }

bool locks_are_real() {
  const errno_saver kept;
  void* const page = VirtualAlloc(nullptr, page_size(), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  if (page == nullptr) return false;
  const bool real = lock(static_cast<std::byte*>(page), page_size()) == 0;
  (void)VirtualFree(page, 0, MEM_RELEASE);
  return real;
}

// ---- Process ----------------------------------------------------------------------------------------------------------------

error try_random(std::span<std::byte> out) {
  const errno_saver kept;
  while (!out.empty()) {
    const std::size_t piece = out.size() < UINT32_MAX ? out.size() : UINT32_MAX;
    auto* const bytes = reinterpret_cast<unsigned char*>(out.data());
    if (BCryptGenRandom(nullptr, bytes, static_cast<ULONG>(piece), BCRYPT_USE_SYSTEM_PREFERRED_RNG) < 0) return EIO;
    out = out.subspan(piece);
  }
  return 0;
}

// The system writes a piece, or says that it cannot; none goes over the end of a page.
void overwrite(std::span<std::byte> over) {
  static constexpr std::byte nothing[4096] = {};
  const errno_saver kept;
  while (!over.empty()) {
    const std::size_t to_end = sizeof nothing - reinterpret_cast<std::uintptr_t>(over.data()) % sizeof nothing;
    const std::size_t piece = over.size() < to_end ? over.size() : to_end;
    (void)WriteProcessMemory(GetCurrentProcess(), over.data(), nothing, piece, nullptr);
    over = over.subspan(piece);
  }
}

bool single_threaded() { return false; }

const char* options_variable() { return std::getenv("LOCKFAST_OPTIONS"); }

}  // namespace lockfast::platform
