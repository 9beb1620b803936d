// poly1305.cc - the polynomial, a block at a time.
#include "allocator/cipher/poly1305.h"

#include <bit>
#include <cstring>

#include "allocator/base/bytes.h"
#include "platform/multiply_wide.h"

namespace lockfast::internal {
namespace {

using platform::wide_product;

std::uint64_t load_word(const std::byte* from) {
  std::uint64_t word;
  std::memcpy(&word, from, sizeof word);
  if constexpr (std::endian::native != std::endian::little) word = __builtin_bswap64(word);
  return word;
}

void store_word(std::byte* to, std::uint64_t word) {
  if constexpr (std::endian::native != std::endian::little) word = __builtin_bswap64(word);
  std::memcpy(to, &word, sizeof word);
}

// sum += addend; the carry, 0 or 1.
[[gnu::always_inline]] inline std::uint64_t add_carrying(std::uint64_t& sum, std::uint64_t addend) {
  return static_cast<std::uint64_t>(__builtin_add_overflow(sum, addend, &sum));
}

// The sum of products: 128 bits, which suffice here.
struct wide {
  std::uint64_t low;
  std::uint64_t high;

  void operator+=(const wide_product& addend) { high += addend.high + add_carrying(low, addend.low); }
  void operator+=(std::uint64_t addend) { high += add_carrying(low, addend); }
};

}  // namespace

poly1305::poly1305(std::span<const std::byte, key_size> key)
    : r_low_(load_word(key.data()) & 0x0ffffffc0fffffff),
      r_high_(load_word(key.data() + 8) & 0x0ffffffc0ffffffc),
      s_low_(load_word(key.data() + 16)),
      s_high_(load_word(key.data() + 24)) {}

poly1305::~poly1305() {
  wipe(&r_low_, sizeof r_low_);
  wipe(&r_high_, sizeof r_high_);
  wipe(&s_low_, sizeof s_low_);
  wipe(&s_high_, sizeof s_high_);
  wipe(&sum_, sizeof sum_);
}

// One step: h = (h + block + top * 2^128) * r, reduced so far that its highest word stays below 8.
namespace {

template <class Number>
[[gnu::always_inline]] inline void step(Number& h, std::uint64_t low, std::uint64_t high, std::uint64_t top,
                                        std::uint64_t r_low, std::uint64_t r_high) {
  // 2^130 is 5, and r_high a multiple of 4: what a product by it has above 2^128 is worth 5/4 below.
  const std::uint64_t r_folded = r_high + (r_high >> 2);
  std::uint64_t carry = add_carrying(h.low, low);
  carry = add_carrying(h.middle, carry) + add_carrying(h.middle, high);
  h.high += carry + top;

  wide lower = {0, 0};
  lower += wide_product(h.low, r_low);
  lower += wide_product(h.middle, r_folded);
  wide upper = {0, 0};
  upper += wide_product(h.low, r_high);
  upper += wide_product(h.middle, r_low);
  upper += h.high * r_folded;
  upper += lower.high;
  const std::uint64_t above = h.high * r_low + upper.high;

  // What is above 2^130, times 5: four times and once.
  carry = (above & ~std::uint64_t{3}) + (above >> 2);
  h.low = lower.low;
  h.middle = upper.low;
  h.high = above & 3;
  h.high += add_carrying(h.middle, add_carrying(h.low, carry));
}

}  // namespace

std::size_t poly1305::add_blocks(std::span<const std::byte> bytes) {
  number h = sum_;
  std::size_t done = 0;
  for (; bytes.size() - done >= block_size; done += block_size) {
    step(h, load_word(bytes.data() + done), load_word(bytes.data() + done + 8), 1, r_low_, r_high_);
  }
  sum_ = h;
  return done;
}

void poly1305::add(std::uint64_t low, std::uint64_t high) { step(sum_, low, high, 1, r_low_, r_high_); }

void poly1305::add_padded(std::span<const std::byte> bytes) {
  const auto rest = bytes.subspan(add_blocks(bytes));
  if (rest.empty()) return;
  std::byte last[block_size] = {};
  std::memcpy(last, rest.data(), rest.size());
  add(load_word(last), load_word(last + 8));
}

void poly1305::add_last(std::span<const std::byte> bytes) {
  const auto rest = bytes.subspan(add_blocks(bytes));
  if (rest.empty()) return;
  std::byte last[block_size] = {};
  std::memcpy(last, rest.data(), rest.size());
  last[rest.size()] = std::byte{1};
  step(sum_, load_word(last), load_word(last + 8), 0, r_low_, r_high_);
}

void poly1305::finish(std::span<std::byte, tag_size> tag) {
  // The sum less the modulus, which is the sum plus 5 less 2^130; taken where the sum is no smaller.
  number less = sum_;
  less.high += add_carrying(less.middle, add_carrying(less.low, 5));
  const std::uint64_t take = std::uint64_t{0} - ((less.high >> 2) & 1);
  std::uint64_t low = (less.low & take) | (sum_.low & ~take);
  std::uint64_t high = (less.middle & take) | (sum_.middle & ~take);
  high += add_carrying(low, s_low_) + s_high_;
  store_word(tag.data(), low);
  store_word(tag.data() + 8, high);
}

}  // namespace lockfast::internal
