// simulated.h - the controls of the simulated host: which call it refuses, what it counts, what it caught.
//
// The simulated host is heap memory with a record of each page's state. It refuses on request, counts every call, and ends
// the process with a line that begins "simulated:" when its caller breaks the contract of platform.h: when memory is
// unlocked that is not wiped, discarded or released while locked, or locked while inaccessible. It does not trap accesses;
// the misuse tests, on the real host, do.
//
// Threads: one mutex.
#ifndef LOCKFAST_PLATFORM_SIMULATED_SIMULATED_H
#define LOCKFAST_PLATFORM_SIMULATED_SIMULATED_H

#include <cstddef>
#include <span>
#include <string_view>

namespace lockfast::simulated {

enum class call : unsigned char {
  reserve,
  release,
  protect,
  lock,
  unlock,
  discard,
  hide,
  unhide,
  move,
  map_hidden_twice,
  vacate,
  mark,
  unmark,
  mark_again,
  set_apart,
  lock_held,
  renew_lock,
  reserve_over,
  lock_foreign,
  unlock_foreign,
  conceal,
  reveal,
  random,
  wipe_closed,
  file,  // any function of files.h that may refuse
  count_of_calls
};

// Forgets counts and refusals; what is reserved stays.
void reset();

// The nth call from now on that may refuse does so, and none after it; 0: none.
void refuse_nth(std::size_t n);
// The same, and every call after it that may refuse.
void refuse_from(std::size_t n);
// Whether that call has come.
[[nodiscard]] bool refused();

[[nodiscard]] std::size_t count(call which);
[[nodiscard]] std::size_t total_count();

// Calls this before each call does anything, and before each query of what it did; null: nothing. It may wait.
void observe_calls(void (*observer)());
// Calls this before pages are unlocked or released, with the pages; null: nothing. It must not call the allocator.
void observe_unlocks(void (*observer)(const std::byte* address, std::size_t size));
// The same before lock_held() answers.
void observe_lock_held(void (*observer)(const std::byte* address, std::size_t size));

// Counts a call that may refuse, and says whether this one does: for the simulated files.
[[nodiscard]] bool refuses(call which);

// What the system would have: bytes of locked memory, maps. SIZE_MAX at the start.
void set_lock_limit(std::size_t bytes);
void set_page_size(std::size_t bytes);
// How many bytes can be hidden, 0 at the start: then the system has no hidden memory at all.
void set_hidden_limit(std::size_t bytes);
// Whether the machine can hibernate; no, at the start.
void set_hibernates(bool can);
// Whether pages can change places; yes, at the start.
void set_moves(bool can);
// Whether it has guard markers, and how many maps it allows; no, and SIZE_MAX, at the start.
void set_guard_markers(bool has);
void set_map_limit(std::size_t maps);
// Has the system count maps, so many of others among them, and keep to their limit; not at the start.
void count_maps(std::size_t of_others);
// How many calls it refused for want of maps.
[[nodiscard]] std::size_t map_refusals();
// How many bytes may be reserved, alignment included; SIZE_MAX at the start.
void set_address_limit(std::size_t bytes);
// How much memory the machine has left; SIZE_MAX at the start.
void set_memory_available(std::size_t bytes);
// Why a fork policy is not in force, 0 at the start. A forked child has a copy of what is reserved, whatever the policy.
void set_fork_error(int error);
// Why advice is refused to what is reserved in the place of hidden pages, 0 at the start.
void set_advice_error(int error);
// Whether pages can't be unlocked nor hidden ones given back; no, at the start.
void set_keeps_pages(bool does);
// Whether closing pages takes their lock off; no, at the start.
void set_closing_unlocks(bool does);
// Whether the system gives random bytes; yes, at the start.
void set_generator(bool has);

[[nodiscard]] std::size_t bytes_reserved();
[[nodiscard]] std::size_t bytes_accessible();
[[nodiscard]] std::size_t bytes_locked();
[[nodiscard]] std::size_t bytes_hidden();
[[nodiscard]] std::size_t bytes_marked();
// Whether a byte of reserved memory could be read.
[[nodiscard]] bool readable(const void* address);
// Pages of the caller's own memory that are locked.
[[nodiscard]] bool foreign_locked(const void* address);
[[nodiscard]] bool foreign_concealed(const void* address);
// What a program does to its own page by itself, and memory whose lock the system takes without holding it in RAM.
void lock_as_program(const void* address);
void conceal_as_program(const void* address);
void set_unlockable(const void* address);
// Takes every lock off, as munlockall does: of pages that are reserved and of the caller's own.
void unlock_everything();

// Files of directories of ours that were not removed, or not closed.
[[nodiscard]] std::size_t files_left();
// What a file of that name holds, in whichever directory of ours; the first in order of names when name is empty.
[[nodiscard]] std::span<std::byte> contents(std::string_view name);
// Leaves no file and no directory, whatever they hold.
void clear_files();

}  // namespace lockfast::simulated

#endif
