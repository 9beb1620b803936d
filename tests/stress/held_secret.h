// held_secret.h - a live secret as the model knows it: each of its bytes, its access, and the family that it came from.
//
// A disagreement between library and model writes a line on standard error and ends the process with status 1.
//
// Invariants
//   1. Each byte of a secret is known, from its allocation to its release.
//
// Threads: a secret belongs to one at a time.
#ifndef LOCKFAST_TESTS_STRESS_HELD_SECRET_H
#define LOCKFAST_TESTS_STRESS_HELD_SECRET_H

#include <lockfast/lockfast.h>

#include <cstddef>
#include <cstdint>

#include "fuzz/probe.h"
#include "stress/configuration.h"

namespace lockfast::stress {

// Says what disagrees, and what the thread was doing, and ends the process.
[[noreturn]] [[gnu::format(printf, 1, 2)]] void disagree(const char* format, ...);
// What this thread is doing, for that line; the string must outlive it.
void doing(const char* what);

enum class origin : std::uint8_t { native, isolated, aligned, drop_in, compartment };

class held_secret {
 public:
  held_secret() = default;
  // Takes in what an allocation gave, verifies its bytes where it is open, and writes contents of that seed. One of a compartment
  // has the access of that.
  held_secret(void* address, std::size_t size, origin from, std::uint32_t seed);
  held_secret(void* address, std::size_t size, struct lockfast_compartment* within, lockfast_access access, std::uint32_t seed);

  [[nodiscard]] bool empty() const { return address_ == nullptr; }
  [[nodiscard]] const std::uint8_t* address() const { return address_; }
  [[nodiscard]] std::size_t size() const { return size_; }
  [[nodiscard]] struct lockfast_compartment* within() const { return within_; }
  [[nodiscard]] lockfast_access access() const { return access_; }

  void write(std::uint32_t seed);  // where it is open for that
  void read() const;               // where it is open for that
  void check() const;
  void describe() const;
  void protect(lockfast_access to, const configuration& in);
  // That of its compartment has changed.
  void follow(lockfast_access to) { access_ = to; }
  // Whether it was not refused.
  [[nodiscard]] bool resize(std::size_t size, const configuration& in);
  void release();

  // When nothing else happens: all that can be asked about it, the kernel included; opens it to read it.
  void verify(const configuration& in);
  // What the kernel says of its pages, against its receipt.
  void compare(const fuzz::map_flags& flags) const;
  // In a forked child: what the fork policy says of it.
  void verify_in_child(const configuration& in);

 private:
  [[nodiscard]] std::uint8_t byte_at(std::size_t index) const;
  void expect_contents(const char* when) const;
  void expect_access() const;
  void expect_guards() const;
  // Calls act() while it can be read; where the system refuses to open it, does nothing.
  template <class Act>
  void while_readable(const configuration& in, Act act);
  [[nodiscard]] int set_access(lockfast_access to);
  [[nodiscard]] lockfast_receipt receipt() const;

  std::uint8_t* address_ = nullptr;
  std::size_t size_ = 0;
  std::uint32_t seed_ = 0;
  std::size_t written_ = 0;  // so many bytes follow from the seed; those after them are 0
  origin from_ = origin::native;
  lockfast_access access_ = LOCKFAST_READWRITE;
  lockfast_placement placement_ = LOCKFAST_GROUPED;
  struct lockfast_compartment* within_ = nullptr;
};

}  // namespace lockfast::stress

#endif
