// page_state.cc - reads the kernel's account of this process's memory.
#include "page_state.h"

#include <doctest/doctest.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "sanitized.h"

namespace {

// Calls line(text) for each line of a file, until it returns false.
template <class Line>
void each_line(const char* path, Line line) {
  std::FILE* file = std::fopen(path, "re");
  if (file == nullptr) return;
  std::array<char, 512> text;
  while (std::fgets(text.data(), text.size(), file) != nullptr && line(text.data())) {
  }
  std::fclose(file);
}

// Of smaps: a field of a map, such as "Rss:", not the range that a map begins with.
bool is_field(const char* line) { return line[0] >= 'A' && line[0] <= 'Z'; }

// Where the program's file begins, by one of the accounts of this process's memory.
std::uintptr_t program_begin(const char* account) {
  std::array<char, 512> path = {};
  if (readlink("/proc/self/exe", path.data(), path.size() - 1) <= 0) return 0;
  unsigned long begin = 0;
  each_line(account, [&](const char* line) {
    const bool found = std::strstr(line, path.data()) != nullptr && std::sscanf(line, "%lx-", &begin) == 1;
    return !found;
  });
  return begin;
}

// By what it promises: a child finds zeros.
bool child_finds_zeros() {
  void* const mapped = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return false;
  auto* const byte = static_cast<volatile char*>(mapped);
  *byte = 1;
  const bool taken = madvise(mapped, page_size(), MADV_WIPEONFORK) == 0;
  const pid_t child = fork();
  if (child == 0) _exit(*byte);
  int state = 0;
  const bool zeros = waitpid(child, &state, 0) == child && WIFEXITED(state) && WEXITSTATUS(state) == 0;
  munmap(mapped, page_size());
  return taken && zeros;
}

// The system call: the sanitizers do nothing for the C library's function, which the library does not call.
bool mlock_locks_a_page() {
  void* page = mmap(nullptr, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const bool real = syscall(SYS_mlock, page, page_size()) == 0 && state_of(page).locked;
  munmap(page, page_size());
  return real;
}

}  // namespace

std::uintptr_t shift_of_accounts() {
  static const std::uintptr_t shift = program_begin("/proc/self/smaps") - program_begin("/proc/self/maps");
  return shift;
}

page_state state_of(const void* address) {
  page_state state;
  bool secretmem = false;
  const std::uintptr_t wanted = address_of(address) + shift_of_accounts();
  each_line("/proc/self/smaps", [&](const char* line) {
    if (is_field(line) && !state.mapped) return true;
    unsigned long begin = 0;
    unsigned long end = 0;
    if (!is_field(line) && std::sscanf(line, "%lx-%lx", &begin, &end) == 2) {
      if (state.mapped) return false;
      state.mapped = begin <= wanted && wanted < end;
      secretmem = std::strstr(line, "/secretmem") != nullptr;
      state.hidden = state.mapped && secretmem;
    } else if (state.mapped && std::sscanf(line, "ProtectionKey: %u", &state.key) == 1) {
      return true;
    } else if (state.mapped && std::strncmp(line, "VmFlags:", 8) == 0) {
      state.flags = line + std::strlen("VmFlags:");
      state.locked = secretmem || std::strstr(line, " lo") != nullptr;
      state.undumpable = secretmem || std::strstr(line, " dd") != nullptr;
      return false;
    }
    return true;
  });
  return state;
}

std::size_t page_size() {
  static const auto size = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  return size;
}

std::size_t bytes_locked() {
  std::size_t kibibytes = 0;
  each_line("/proc/self/status", [&](const char* line) { return std::sscanf(line, "VmLck: %zu kB", &kibibytes) != 1; });
  std::size_t hidden = 0;
  each_line("/proc/self/smaps", [&](const char* line) {
    unsigned long begin = 0;
    unsigned long end = 0;
    if (!is_field(line) && std::sscanf(line, "%lx-%lx", &begin, &end) == 2) {
      hidden = std::strstr(line, "/secretmem") != nullptr ? end - begin : 0;
    }
    if (std::strncmp(line, "VmFlags:", 8) == 0 && std::strstr(line, " lo") == nullptr) kibibytes += hidden / 1024;
    return true;
  });
  return kibibytes * 1024;
}

int dump_error_here() { return advice_error(); }

bool locks_are_real() {
  // They have no races of their own, and their tests take minutes under the thread sanitizer.
  static const bool real = !under_tsan && mlock_locks_a_page();
  if (!real) MESSAGE("skipped: mlock holds nothing in RAM here (a limit of 0), or it is the thread sanitizer");
  return real;
}

bool maps_are_counted() { return true; }

bool locks_outlive_closing() { return true; }

bool advice_is_followed() {
  static const bool followed = child_finds_zeros();
  return followed;
}

int advice_error() { return advice_is_followed() ? 0 : ENOTSUP; }

bool is_emulated() {
  const char* const emulator = std::getenv("LOCKFAST_TEST_EMULATOR");
  return emulator != nullptr && *emulator != '\0';
}

bool asks_for_own_process(const char* what) {
  if (is_emulated()) MESSAGE("skipped: " << std::string(what) << ": this process is an emulator's");
  return !is_emulated();
}

bool asks_for_advice(const char* what) {
  if (!advice_is_followed())
    MESSAGE("skipped: " << std::string(what) << ": advice to the system has no effect here (an emulator)");
  return advice_is_followed();
}
