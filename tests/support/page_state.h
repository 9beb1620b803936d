// page_state.h - what the kernel says of a page and of this process: /proc/self/smaps and /proc/self/status.
#ifndef LOCKFAST_TESTS_SUPPORT_PAGE_STATE_H
#define LOCKFAST_TESTS_SUPPORT_PAGE_STATE_H

#include <cstddef>
#include <cstdint>
#include <string>

struct page_state {
  bool mapped = false;
  bool locked = false;      // held in RAM: mlock, or memory of memfd_secret
  bool undumpable = false;  // out of core dumps: MADV_DONTDUMP, or memory of memfd_secret
  bool hidden = false;      // memory of memfd_secret
  unsigned key = 0;         // protection key; 0, which denies nothing, where there are none
  std::string flags;        // its line of VmFlags in smaps (proc_pid_smaps(5))

  [[nodiscard]] bool has(const char* flag) const { return flags.find(std::string(" ") + flag) != std::string::npos; }
};

page_state state_of(const void* address);

// What /proc/self/smaps and /proc/self/mem have beyond this program's own addresses: an emulator shows those of its own process,
// where it put a program of 32 bits further on, and translates /proc/self/maps alone.
std::uintptr_t shift_of_accounts();

std::size_t page_size();
// VmLck, and the hidden memory that is not in it.
std::size_t bytes_locked();

// Whether a lock does anything here: sanitizers turn mlock into nothing. Says so on the test's output when it does not.
bool locks_are_real();

// Whether the system counts the maps of a process, and ends at a number.
bool maps_are_counted();

// Whether what has no access stays locked. Where it does not, an isolated secret is sealed as it is closed, and a grouped one stays
// open: it would do more harm than good to close it.
bool locks_outlive_closing();

// Whether madvise does what it says: emulators of processors take any advice and follow none. The library then says ENOTSUP.
bool advice_is_followed();
int advice_error();  // 0, or ENOTSUP
// What a receipt says of core dumps here: 0, or why this system has nothing for it.
int dump_error_here();
// Whether it is followed; says on the test's output that this is not tried.
bool asks_for_advice(const char* what);

// Whether an emulator of a processor runs this program: limits on address space and maps, accounts of memory and what another process
// sees are of the emulator's own process then.
bool is_emulated();
// Whether it is none; says on the test's output that this is not tried.
bool asks_for_own_process(const char* what);

inline std::uintptr_t address_of(const void* pointer) { return reinterpret_cast<std::uintptr_t>(pointer); }

// The first byte of the page that holds a byte.
inline char* page_of(const void* byte) { return static_cast<char*>(const_cast<void*>(byte)) - address_of(byte) % page_size(); }

#endif
