// claims_model.h - the caller's own memory beside a plain set of its claimed bytes: what lockfast_mlock and munlock
// promise.
//
//    | no access | page | page | ... | page | no access |
//
// Invariants
//   1. A page of the buffer is locked if and only if one of its bytes is claimed; the pages beside it never are.
//   2. Every byte holds what was written to it last, or zero once an unlock or a wipe went over it.
//
// Threads: one.
#ifndef LOCKFAST_FUZZ_CLAIMS_MODEL_H
#define LOCKFAST_FUZZ_CLAIMS_MODEL_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lockfast::fuzz {

class claims_model {
 public:
  static constexpr std::size_t page_count = 6;

  claims_model();  // maps the buffer
  claims_model(const claims_model&) = delete;
  claims_model& operator=(const claims_model&) = delete;

  [[nodiscard]] std::size_t size() const { return contents_.size(); }
  [[nodiscard]] std::uint8_t* at(std::size_t offset) { return buffer_ + offset; }

  // Each requires offset + length <= size(), does it to the buffer and to the model, and verifies.
  void fill(std::size_t offset, std::size_t length, std::uint8_t value);
  void wipe(std::size_t offset, std::size_t length);
  void lock(std::size_t offset, std::size_t length);
  void unlock(std::size_t offset, std::size_t length);

  // Locks from offset across the inaccessible page behind the buffer, or past the end of the address space: must be
  // refused and change nothing.
  void lock_across_the_end(std::size_t offset);
  void lock_past_all_addresses(std::size_t offset);

  void verify() const;
  void verify_map_flags() const;

 private:
  [[nodiscard]] bool claimed(std::size_t page) const;  // any byte of it

  std::uint8_t* buffer_;
  std::vector<std::uint8_t> contents_;
  std::vector<std::uint8_t> claims_;  // 1 for each claimed byte
};

}  // namespace lockfast::fuzz

#endif
