// access_checker.h - tells a tool that checks each access of the program which of our bytes the program may use.
//
//    AddressSanitizer, in a program that is compiled with -fsanitize=address; this library need not be
//    memcheck, the tool of valgrind, where valgrind/memcheck.h was there when this library was built
//
//    forbid(front, 8);         // front[0] = x is reported from here on, at that instruction
//    permit(front, 8);         // and no more; what is there counts as written
//
// Code of this library that a tool checks too permits bytes before it uses them, or is one of the few functions that are
// LOCKFAST_UNCHECKED and run within an `unreported`. So only the program's own accesses are reported.
//
// Invariants
//   1. Without a tool every function is a test of a flag that stays false.
//   2. Bytes are permitted before their pages are given back.
//
// Threads: find_access_checker() once, before the first secret; the rest from any thread, on memory that its caller owns. A scope is its
// thread's own; scopes nest.
#ifndef LOCKFAST_PLATFORM_ACCESS_CHECKER_H
#define LOCKFAST_PLATFORM_ACCESS_CHECKER_H

#include <atomic>
#include <cstddef>

// Of a function that reads or writes forbidden bytes: it is not checked where this library is built with the sanitizer.
#define LOCKFAST_UNCHECKED __attribute__((no_sanitize("address")))

namespace lockfast::platform {

// What the functions below call when there is a tool.
namespace checker {
extern constinit std::atomic<bool> found;
void forbid(const std::byte* address, std::size_t size);
void permit(const std::byte* address, std::size_t size);
void name_secret(const std::byte* secret, std::size_t size);
void rename_secret(const std::byte* secret, std::size_t before, std::size_t size);
void forget_secret(const std::byte* secret);
void pause();
void resume();
void define(bool& verdict);
}  // namespace checker

// Looks whether there is a tool.
void find_access_checker();
[[nodiscard]] inline bool has_access_checker() { return checker::found.load(std::memory_order_relaxed); }

inline void forbid(const std::byte* address, std::size_t size) {
  if (has_access_checker()) [[unlikely]]
    checker::forbid(address, size);
}
inline void permit(const std::byte* address, std::size_t size) {
  if (has_access_checker()) [[unlikely]]
    checker::permit(address, size);
}

// For the text of the tool's reports: where secrets begin and end, and who allocated and freed them. Changes what may be used of the
// secret's own bytes alone.
inline void name_secret(const std::byte* secret, std::size_t size) {
  if (has_access_checker()) [[unlikely]]
    checker::name_secret(secret, size);
}
inline void rename_secret(const std::byte* secret, std::size_t before, std::size_t size) {
  if (has_access_checker()) [[unlikely]]
    checker::rename_secret(secret, before, size);
}
inline void forget_secret(const std::byte* secret) {
  if (has_access_checker()) [[unlikely]]
    checker::forget_secret(secret);
}

// While it exists, what this thread does to forbidden bytes is not reported by memcheck.
class unreported {
 public:
  unreported() : paused_(has_access_checker()) {
    if (paused_) [[unlikely]]
      checker::pause();
  }
  ~unreported() {
    if (paused_) [[unlikely]]
      checker::resume();
  }
  // The verdict on forbidden bytes, on which memcheck is not to report a branch either.
  [[nodiscard]] bool known(bool verdict) const {
    if (paused_) [[unlikely]]
      checker::define(verdict);
    return verdict;
  }
  unreported(const unreported&) = delete;
  unreported& operator=(const unreported&) = delete;

 private:
  const bool paused_;
};

}  // namespace lockfast::platform

#endif
