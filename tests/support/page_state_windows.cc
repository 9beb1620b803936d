// page_state_windows.cc - asks VirtualQuery and QueryWorkingSetEx; under Wine, which never reports a lock, Linux's own account.
#include <windows.h>

#include <doctest/doctest.h>
#include <psapi.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "page_state.h"

namespace {

bool is_wine() { return GetProcAddress(GetModuleHandleW(L"ntdll.dll"), "wine_get_version") != nullptr; }

// The number that Linux knows this process by: files are opened by another process of Wine's, whose /proc/self is its own.
long linux_process() {
  constexpr long call_getpid = 39;
  long number = call_getpid;
  __asm__ volatile("syscall" : "+a"(number) : : "rcx", "r11", "memory");
  return number;
}

// Calls line(text) for each line of a file of this process in /proc, until it returns false.
template <class Line>
void each_line(const char* name, Line line) {
  std::array<char, 64> path;
  std::snprintf(path.data(), path.size(), "Z:/proc/%ld/%s", linux_process(), name);
  std::FILE* const file = std::fopen(path.data(), "rb");
  if (file == nullptr) return;
  std::array<char, 512> text;
  while (std::fgets(text.data(), text.size(), file) != nullptr && line(text.data())) {
  }
  std::fclose(file);
}

bool locked_by_linux(const void* address) {
  bool found = false;
  bool locked = false;
  each_line("smaps", [&](const char* line) {
    unsigned long long begin = 0;
    unsigned long long end = 0;
    if (std::sscanf(line, "%llx-%llx ", &begin, &end) == 2) {
      found = begin <= address_of(address) && address_of(address) < end;
    } else if (found && std::strncmp(line, "VmFlags:", 8) == 0) {
      locked = std::strstr(line, " lo") != nullptr;
      return false;
    }
    return true;
  });
  return locked;
}

bool virtual_lock_locks_a_page() {
  void* const page = VirtualAlloc(nullptr, page_size(), MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE);
  const bool real = VirtualLock(page, page_size()) != 0 && state_of(page).locked;
  VirtualFree(page, 0, MEM_RELEASE);
  return real;
}

}  // namespace

page_state state_of(const void* address) {
  page_state state;
  MEMORY_BASIC_INFORMATION found = {};
  state.mapped = VirtualQuery(address, &found, sizeof found) != 0 && found.State != MEM_FREE;
  PSAPI_WORKING_SET_EX_INFORMATION asked = {};
  asked.VirtualAddress = const_cast<void*>(address);
  const bool told = QueryWorkingSetEx(GetCurrentProcess(), &asked, sizeof asked) != 0;
  state.locked = told && asked.VirtualAttributes.Valid != 0 && asked.VirtualAttributes.Locked != 0;
  if (!state.locked && is_wine()) state.locked = locked_by_linux(address);
  return state;
}

std::size_t page_size() {
  static const std::size_t size = [] {
    SYSTEM_INFO machine = {};
    GetSystemInfo(&machine);
    return static_cast<std::size_t>(machine.dwPageSize);
  }();
  return size;
}

std::size_t bytes_locked() {
  std::size_t kibibytes = 0;
  each_line("status", [&](const char* line) { return std::sscanf(line, "VmLck: %zu kB", &kibibytes) != 1; });
  return kibibytes * 1024;
}

bool locks_are_real() {
  static const bool real = virtual_lock_locks_a_page();
  if (!real) MESSAGE("skipped: VirtualLock holds nothing in RAM here (a limit of 0)");
  return real;
}

bool maps_are_counted() { return false; }

bool locks_outlive_closing() { return false; }

// There is no other process to be kept out, and nobody tells what an error report leaves out.
bool advice_is_followed() { return false; }

int advice_error() { return 0; }

bool is_emulated() { return false; }
bool asks_for_own_process(const char*) { return true; }

bool asks_for_advice(const char* what) {
  MESSAGE("skipped: " << std::string(what) << ": Windows does not tell");
  return false;
}

int dump_error_here() {
  const bool has = GetProcAddress(GetModuleHandleW(L"kernel32.dll"), "WerRegisterExcludedMemoryBlock") != nullptr;
  return has ? 0 : ENOTSUP;
}
