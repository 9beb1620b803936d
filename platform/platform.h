// platform.h - all that Lockfast asks of an operating system; one host file implements it (docs/porting.md).
//
// Reserved memory moves through these states, and only along these arrows:
//
//               reserve                protect                 lock
//    (nothing) ---------> inaccessible <-------> accessible <---------> locked, at any access
//              <---------              discard                unlock
//               release    (empties accessible or inaccessible pages that are not locked)
//
// The caller's duties, which the simulated host enforces: memory is wiped before it is unlocked, and unlocked before it is
// discarded or released.
//
// Invariants
//   1. A function that refuses has changed nothing.
//   2. Nothing here allocates from the ordinary heap, and nothing changes errno but what its comment names.
//
// Threads: every function is safe from any number of threads, on memory that its caller owns.
#ifndef LOCKFAST_PLATFORM_PLATFORM_H
#define LOCKFAST_PLATFORM_PLATFORM_H

#include <cstddef>
#include <span>

#include "platform/mutex.h"

namespace lockfast::platform {

// 0, or the errno of a refusal.
using error = int;

enum class access : unsigned char { none, read, read_write };

// What a forked child finds in reserved memory: a copy, zeros, or nothing.
enum class fork_policy : unsigned char { inherit, wipe, absent };

// A power of two, in bytes; constant for the life of the process.
[[nodiscard]] std::size_t page_size();

// ---- Reserved memory: addresses and sizes are multiples of the page size -------------------------------------------------

struct reservation {
  std::byte* address = nullptr;  // null when refused
  error refusal = 0;
  error dump = 0;  // why it would be in a core dump, or 0
  error fork = 0;  // why the fork policy is not in force, or 0
};

// Reserves inaccessible address space at a multiple of alignment: zeros once it is opened, left out of core dumps, never
// merged with equal pages of others, in pages of the ordinary size.
[[nodiscard]] reservation reserve(std::size_t size, std::size_t alignment, fork_policy policy);
// Where the system does not take them back, as in a sandbox, the pages are inaccessible from then on.
void release(std::byte* address, std::size_t size);

// Changes the access of pages; ENOMEM when the system's limit on maps does not allow it. Closing (to access::none) what was
// opened in one piece, and opening it again in one piece, needs no new map, but for closing pages between guard markers.
[[nodiscard]] error protect(std::byte* address, std::size_t size, access to);

// Faults accessible pages in and holds them in RAM; ENOMEM, EAGAIN or EPERM over the limit.
[[nodiscard]] error lock(std::byte* address, std::size_t size);
// The same, by the quickest call, of pages that are soon to be given back: later changes of their access may take a little longer.
[[nodiscard]] error lock_briefly(std::byte* address, std::size_t size);
[[nodiscard]] error unlock(std::byte* address, std::size_t size);
// Why pages are not held in RAM while they are inaccessible; 0 where a lock outlasts their closing, which it does but on Windows.
// Where not, whoever opens them locks them again.
[[nodiscard]] error closed_lock_error();

// How many of some pages the system holds in RAM by a lock, whoever asked for the lock and whatever took it off since. Asks the
// system; of more than 512 pages, of 512 that lie evenly apart. unknown where the system does not tell. Changes nothing.
enum class hold : unsigned char { none, some, all, unknown };
[[nodiscard]] hold lock_held(const std::byte* address, std::size_t size);

// Locks pages whatever their access: whose lock something else took off, or that were never opened; quick where they are locked
// still. What is not in RAM then is locked from the next touch on. A refusal changes nothing; 0 where the system refuses and holds
// them all the same.
[[nodiscard]] error renew_lock(std::byte* address, std::size_t size);

// Gives the frames of unlocked pages back: zeros when they are touched again.
void discard(std::byte* address, std::size_t size);
// Whether pages that are to be closed are discarded while they are open, which takes less. Not on Windows, where only the memory
// of closed pages goes back.
[[nodiscard]] bool discards_before_closing();

// ---- Hidden memory: out of the kernel's own map, so that no other process reads it, and no dump, root's included ----------

// Why this system has none, or 0. A budget that is used up shows only when pages are to be hidden.
[[nodiscard]] error hiding_error();
// Whether this machine can hibernate, which the use of hidden memory prevents for all of it.
[[nodiscard]] bool may_hibernate();

// Puts hidden pages in the place of reserved, inaccessible ones: zero, writable, held in RAM, absent from every forked child.
// ENOMEM or EAGAIN over the budget, and they are reserved under the policy as before; never a fault when they are used later.
// Where pages were reserved again, here and in unhide and vacate, again says which advice the system refused for them.
[[nodiscard]] error hide(std::byte* address, std::size_t size, fork_policy policy, reservation& again);
// Gives wiped, hidden pages back: reserved and inaccessible as before.
[[nodiscard]] error unhide(std::byte* address, std::size_t size, fork_policy policy, reservation& again);

// For the copy of hidden pages that a forked child is to have. Maps hidden pages that child and parent share; null when that
// is refused. release() unmaps them, whole or what is left of them.
[[nodiscard]] std::byte* map_shared_hidden(std::size_t size);
// In the child: moves pages of such a map over the gap that hide() left there; they are hidden like those from then on.
[[nodiscard]] error move_hidden(std::byte* from, std::byte* to, std::size_t size);

// ---- Pages that change places ---------------------------------------------------------------------------------------------

// Moves accessible pages of a reservation, locked or hidden ones, with what they hold, in place of reserved, inaccessible ones:
// accessible, and locked or hidden as before. Both reservations have one fork policy. What `from` maps afterwards is undefined
// until vacate(). The limit on locks may be charged once more (a fault of Linux): not for what happens often. A refusal, ENOTSUP
// where the system cannot do it, changes nothing.
[[nodiscard]] error move(std::byte* from, std::byte* to, std::size_t size);
// Maps hidden pages in place of reserved, inaccessible ones too, with the access that they have, until one of the two places is
// vacated; they count against the budget twice. ENOMEM or EAGAIN over it; a refusal changes nothing.
[[nodiscard]] error map_hidden_twice(std::byte* from, std::byte* to, std::size_t size);
// Puts reserved, inaccessible pages in place of wiped or moved ones, which give their lock and their frames back; they
// share the map of their neighbours that were never opened. blank: a page of the same reservation that was never opened.
// ENOTSUP where the system cannot do it; a refusal changes nothing.
[[nodiscard]] error vacate(std::byte* address, std::size_t size, std::byte* blank, fork_policy policy, reservation& again);

// ---- Guard markers: inaccessible pages that cost no map, in memory that is accessible and locked else -----------------------

// Whether this system has them (Linux 6.13).
[[nodiscard]] bool has_guard_markers();
// Turns a fresh reservation into one map that is writable and locked, every page of it inaccessible behind a marker; all of it
// counts against the lock limit. ENOMEM, EAGAIN or EPERM over that, and it is as it was.
[[nodiscard]] error mark(std::byte* address, std::size_t size);
// Takes the markers off pages, where there are any: writable, resident, and locked where the map is (renew_lock); zero where there
// was one.
[[nodiscard]] error unmark(std::byte* address, std::size_t size);
// Puts markers on wiped pages again, whatever their access, and gives their frames back. The map may be without its lock from then
// on, where the process may not lock as much any more.
[[nodiscard]] error mark_again(std::byte* address, std::size_t size);
// Has pages of a marked reservation, with markers or without, be a map of their own, so that nothing that is done to them until
// mark_again() or join_again() wants for maps. ENOMEM at the limit on maps; never of pages that are inaccessible without a marker.
[[nodiscard]] error set_apart(std::byte* address, std::size_t size);
void join_again(std::byte* address, std::size_t size);
// In a forked child, whose locks are gone: locks a marked reservation again; pages that are copies stay so until lock_again.
[[nodiscard]] error lock_marked_again(std::byte* address, std::size_t size);

// ---- Protection keys: an access of each thread's own beside that of the pages, changed without a system call (x86-64 with PKU,
// Linux 4.9; fifteen for a process). A denied access raises what an access to inaccessible memory does.

using key = int;
inline constexpr key default_key = 0;  // what all memory has at first: no thread is denied anything
inline constexpr key no_key = -1;

// A key that no memory has yet, with all access for this thread and none for the others that run; no_key where there is none
// left, or the processor has none. It is never given back.
[[nodiscard]] key take_key();
// protect(), and the key that the pages have from then on.
[[nodiscard]] error protect_by_key(std::byte* address, std::size_t size, access to, key through);
// This thread's access to pages with the key, which the threads that it starts inherit. Async-signal-safe.
void set_key_access(key of, access to);
[[nodiscard]] access key_access(key of);

// ---- Reserved memory, in a forked child ----------------------------------------------------------------------------------

// In a forked child: makes copied pages, accessible for writing, private to the child and locks them again.
[[nodiscard]] error lock_again(std::byte* address, std::size_t size);

// In a forked child: reserves address space that fork_policy::absent took away, at the same place.
[[nodiscard]] reservation reserve_again(std::byte* address, std::size_t size, fork_policy policy);
// In a forked child: puts reserved, inaccessible pages in place of a part of a reservation, whatever the fork left of it: copies,
// zeros, gaps, reserved pages. ENOTSUP where the system has no fork; a refusal changes nothing.
[[nodiscard]] reservation reserve_over(std::byte* address, std::size_t size, fork_policy policy);

// ---- Memory that lives as long as the process -----------------------------------------------------------------------------

// Makes reserved pages, inaccessible ones too, permanent as they are: no call can unmap them or change their access, where the
// system can do that (mseal, Linux 6.10).
void seal(std::byte* address, std::size_t size);

// ---- The caller's own memory: whole pages that it mapped itself ---------------------------------------------------------

// Why pages cannot all be locked, as far as that shows before one of them is: ENOMEM where they are not all mapped, ENOMEM or
// EPERM where `size` of them alone is over the limit; 0 where there is nothing against it. Takes no longer for more pages.
[[nodiscard]] error foreign_refusal(const std::byte* address, std::size_t size);
// What the program has asked for the pages that begin at address, the same for the next `size` bytes: their lock, and their
// absence from core dumps. A refusal, ENOTSUP, where the system takes a lock of such memory and does not hold it in RAM.
struct foreign_pages {
  std::size_t size;  // a page at least
  bool locked;
  bool concealed;
  error refusal;
};
[[nodiscard]] foreign_pages state_of_foreign(const std::byte* address);
// Locks pages; ENOMEM for what is not mapped. A refusal may leave some of the pages locked: the caller unlocks those that
// nobody claims.
[[nodiscard]] error lock_foreign(std::byte* address, std::size_t size);
[[nodiscard]] error unlock_foreign(std::byte* address, std::size_t size);

// Leaves pages out of core dumps, and takes them in again.
[[nodiscard]] error conceal(std::byte* address, std::size_t size);
[[nodiscard]] error reveal(std::byte* address, std::size_t size);

// ---- Limits ---------------------------------------------------------------------------------------------------------------

// Raises the soft limit on locked memory to the hard one.
void raise_lock_limit();
// Bytes; SIZE_MAX where there is no limit for this process.
[[nodiscard]] std::size_t lock_limit();
// Whether that is as many bytes at least: a cheaper question on Linux, where it is the right to exceed the limit that takes long to see.
[[nodiscard]] bool may_lock(std::size_t size);
// Maps in use and how many the process may have; 0 and SIZE_MAX where the system does not count them.
[[nodiscard]] std::size_t maps_used();
[[nodiscard]] std::size_t map_limit();
// About how many bytes more can be held in RAM: what the machine has, or could have by giving up caches and by swapping others,
// within the limits of its containers; SIZE_MAX where the system does not tell. Others may take it meanwhile.
[[nodiscard]] std::size_t memory_available();
// False under emulators whose lock succeeds without effect: a test of a lock asks this first.
[[nodiscard]] bool locks_are_real();

// ---- Process --------------------------------------------------------------------------------------------------------------

// Fills out with bytes of the system's generator. A refusal leaves anything in out; a filter of system calls is the cause that is
// known (seccomp(2): Linux alone).
[[nodiscard]] error try_random(std::span<std::byte> out);
// The same for a caller who can give no error: ends the process where the system refuses.
void random(std::span<std::byte> out);

// Overwrites memory with whatever bytes, through the system: where another thread closes it meanwhile, the rest may stay, and
// nothing faults. Async-signal-safe.
void overwrite(std::span<std::byte> over);

// Writes zeros over private memory whatever its access, as a debugger would: for pages that the system does not open for writing,
// because a limit on writable memory is reached (RLIMIT_DATA, Linux 4.7) or in a sandbox. ENOTSUP where there is no such way. Some of
// it may be left after a refusal. Async-signal-safe.
[[nodiscard]] error wipe_closed(std::span<std::byte> over);

// The value of LOCKFAST_OPTIONS; null when unset and in a program that runs with more rights than its caller.
[[nodiscard]] const char* options_variable();

// Has the library that this is in stay for as long as the process does, whoever unloads it: what the system is to call lies there.
// For the moment when it is loaded. Where the linker says so of a library (ELF's nodelete), there is nothing to do.
void stay_loaded();

// Calls prepare before every fork, then parent and child on the two sides.
void at_fork(void (*prepare)(), void (*parent)(), void (*child)());

// Writes one line, in one piece, on standard error.
void write_line(std::span<const char> line);

// ---- Output: async-signal-safe; what nobody reads and what has no room is a refusal, never a signal --------------------------

// Writes all bytes to a descriptor; the errno of a refusal, after which some may be written.
[[nodiscard]] error write_to(int descriptor, std::span<const char> bytes);
// Opens a file to append to, made for its owner alone where there is none; negative when that is refused.
[[nodiscard]] int open_for_append(const char* path);
void close_output(int descriptor);
[[nodiscard]] std::size_t process_id();
// Calls look with the path of each library and module that is loaded, where the system tells them without a system call. Not
// async-signal-safe: it takes the dynamic linker's lock.
void for_each_loaded(void (*look)(void* with, const char* path), void* with);

// ---- The end ------------------------------------------------------------------------------------------------------------------

// Ends the process: abort, so that a core or a debugger can show where.
[[noreturn]] void terminate();
// Raises what an access to forbidden memory raises; returns only if a handler returned.
void raise_access_violation();

// What a fatal signal calls; all of it is async-signal-safe.
enum class after_wipe : unsigned char { as_before, closed };
struct crash_calls {
  // Wipes every secret, and closes it where asked: a touch traps from then on. False when the system would not close one.
  bool (*wipe)(after_wipe leaves);
  // Opens wiped, closed pages at an address; false when there are none.
  bool (*show)(const void* address);
  // Closes what show() opened.
  void (*close)();
};

// Has a fatal signal (SIGSEGV, SIGBUS, SIGILL, SIGFPE, SIGABRT, and, unless the program handles them, SIGTRAP and SIGSYS) call
// wipe() before whatever action there was, which then takes its course. One thread wipes; others whose signals come meanwhile wait.
// Where that action is a handler, which may let the program go on, what is wiped is closed; only the thread that the handler runs
// on is shown zeros, until it leaves the handler (POSIX). Returns the errno of a refusal.
[[nodiscard]] error on_fatal_signal(const crash_calls& calls);
// After a handler let the program go on: takes the signals again that this handler took for itself, or gave up.
void renew_fatal_signals();
// In a forked child.
void forget_fatal_signal_in_child();
// Whether this thread runs a handler that on_fatal_signal() called.
[[nodiscard]] bool in_crash_handler();

// While the process ends by exit(): calls this behind everything that exit() calls, as far as the system allows that.
void call_last(void (*call)());

// Has each thread that called expect_thread_exit call this when it ends, in that thread, while its thread-local storage still
// exists. One call for the process; returns the errno of a refusal.
[[nodiscard]] error at_thread_exit(void (*call)());
// Nothing where that was refused.
void expect_thread_exit();

void yield();
// Sleeps for some 50 microseconds, or the least that the system can: threads of lower priority run too. Async-signal-safe.
void sleep_briefly();

// Whether no other thread can be running: false when in doubt.
[[nodiscard]] bool single_threaded();

}  // namespace lockfast::platform

#endif
