// block.h - a block of sodium_malloc, freed with its scope.
#ifndef LOCKFAST_TESTS_CONFORMANCE_BLOCK_H
#define LOCKFAST_TESTS_CONFORMANCE_BLOCK_H

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <span>
#include <utility>

#include "subject.h"
#include "support/page_state.h"

constexpr std::size_t canary_size = 16;
constexpr std::size_t max_grouped = 16384;  // under placement=grouped
constexpr unsigned char fresh_byte = 0xdb;

class block {
 public:
  explicit block(std::size_t size) : first_(static_cast<unsigned char*>(sodium_malloc(size))), size_(size) {
    REQUIRE(first_ != nullptr);
  }
  ~block() { sodium_free(first_); }
  block(block&& other) noexcept : first_(std::exchange(other.first_, nullptr)), size_(other.size_) {}
  block& operator=(block&&) = delete;

  unsigned char* data() const { return first_; }
  unsigned char* end() const { return first_ + size_; }
  std::size_t size() const { return size_; }
  std::span<unsigned char> bytes() const { return {first_, size_}; }

  // Whether its pages are its own: then its end is a page's end, the next byte traps, and so does the page in front.
  bool isolated() const {
    lockfast_receipt receipt = {};
    if (!subject_is_lockfast()) return true;
    REQUIRE(lockfast_describe(first_, &receipt) == 0);
    return receipt.placement == LOCKFAST_ISOLATED;
  }

  // The first of the block's own pages; a page that traps is below it.
  unsigned char* first_page() const { return reinterpret_cast<unsigned char*>(page_of(first_ - canary_size)); }

  void fill(unsigned char byte) const { std::ranges::fill(bytes(), byte); }
  bool filled_with(unsigned char byte) const {
    return std::ranges::all_of(bytes(), [=](unsigned char each) { return each == byte; });
  }

 private:
  unsigned char* first_;
  std::size_t size_;
};

#endif
