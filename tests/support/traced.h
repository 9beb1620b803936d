// traced.h - secrets whose bytes are computed, never stored by the test, and a search for copies of them.
//
// The search reads the whole memory of the process as a debugger would, pages without access included, but for the pages
// that it reads into. Hidden memory it cannot read, so the tests run with hidden=off too: there the blocks are searched.
#ifndef LOCKFAST_TESTS_SUPPORT_TRACED_H
#define LOCKFAST_TESTS_SUPPORT_TRACED_H

#include <lockfast/secret.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

#include "support/memory_search.h"

class traced {
 public:
  explicit traced(std::uint64_t seed, std::size_t size = 32) : seed_(seed), size_(size) {}

  std::size_t size() const { return size_; }
  std::byte operator[](std::size_t at) const;
  lockfast::buffer<std::byte> buffer() const;  // requires that it is not refused
  bool equals(std::span<const std::byte> bytes) const;

  // How often a part of it, 16 bytes long, is found; the size must be at least as much. Of more than 64 bytes a few parts are
  // searched for.
  std::size_t copies_in_memory() const;
  std::size_t copies_in(const std::filesystem::path& file) const;

 private:
  std::size_t copies_in(std::span<const std::byte> bytes) const;

  std::uint64_t seed_;
  std::size_t size_;
};

// Whether a secret lies where the search cannot see it.
bool is_hidden(const std::byte* secret);

#endif
