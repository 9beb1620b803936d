// reach_windows.cc - asks VirtualQuery: on Windows access is the pages', and the same for every thread.
#include <windows.h>

#include <cstdint>

#include "reach.h"

namespace {

// The protection of the page of a byte; 0 where there is none.
DWORD protection_of(const void* byte) {
  MEMORY_BASIC_INFORMATION found = {};
  if (VirtualQuery(byte, &found, sizeof found) == 0 || found.State != MEM_COMMIT) return 0;
  return (found.Protect & PAGE_GUARD) != 0 ? PAGE_NOACCESS : found.Protect;
}

// Another thread may close the page, or give it back, at any moment: the copy ends there then.
extern "C" const char peek_copies[];
extern "C" const char peek_is_done[];

// Returns how many bytes are left.
[[gnu::noinline, gnu::noclone]] std::size_t copy(char* out, const char* from, std::size_t length) {
  __asm__ volatile("peek_copies: rep movsb\npeek_is_done:" : "+D"(out), "+S"(from), "+c"(length) : : "memory");
  return length;
}

LONG CALLBACK end_copy(EXCEPTION_POINTERS* at) {
  auto& next = at->ContextRecord->Rip;
  if (next != reinterpret_cast<DWORD64>(peek_copies)) return EXCEPTION_CONTINUE_SEARCH;
  next = reinterpret_cast<DWORD64>(peek_is_done);
  return EXCEPTION_CONTINUE_EXECUTION;
}

}  // namespace

bool readable_here(const void* byte) {
  const DWORD protection = protection_of(byte);
  return protection != 0 && protection != PAGE_NOACCESS && protection != PAGE_EXECUTE;
}

bool writable_here(void* byte) {
  return (protection_of(byte) & (PAGE_READWRITE | PAGE_WRITECOPY | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY)) != 0;
}

// A page without access is opened for the length of the copy, as a debugger does.
bool peek(const void* address, std::size_t length, char* out) {
  constexpr std::size_t page = 4096;
  constexpr int max_tries = 100;  // for one page
  static void* const handler = AddVectoredExceptionHandler(1, end_copy);
  if (handler == nullptr) return false;
  const auto* from = static_cast<const char*>(address);
  for (int tries = 0; length != 0 && tries < max_tries; ++tries) {
    const std::size_t to_end = page - reinterpret_cast<std::uintptr_t>(from) % page;
    const std::size_t piece = length < to_end ? length : to_end;
    DWORD before = protection_of(from);
    if (before == 0) return false;
    const bool closed = before == PAGE_NOACCESS;
    if (closed && VirtualProtect(const_cast<char*>(from), 1, PAGE_READONLY, &before) == 0) return false;
    const bool whole = copy(out, from, piece) == 0;
    DWORD unused = 0;
    if (closed) (void)VirtualProtect(const_cast<char*>(from), 1, before, &unused);
    if (!whole) continue;
    from += piece;
    out += piece;
    length -= piece;
    tries = -1;
  }
  return length == 0;
}
