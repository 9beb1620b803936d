// slot_canary.h - the bytes on either side of a grouped secret that nobody has reason to change: eight or more.
//
// A keyed mix of address and generation, as canary.h has it, of which one product makes both words: the one in front is the
// product folded, the one behind is that and a further word of the slab's key. Whoever reads both words of one secret learns how
// the two differ, which is the same throughout the slab, and nothing of either word of another secret.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_GROUPED_SLOT_CANARY_H
#define LOCKFAST_ALLOCATOR_GROUPED_SLOT_CANARY_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "allocator/base/canary.h"
#include "platform/access_checker.h"
#include "platform/multiply_wide.h"

namespace lockfast::internal {

class slot_canary {
 public:
  static constexpr std::size_t word_size = 8;

  // tenant differs whenever the generation does.
  slot_canary(const canary_key& key, const std::byte* address, std::uint64_t tenant)
      : front_(
            platform::wide_product(reinterpret_cast<std::uintptr_t>(address) ^ key.words[0], tenant ^ key.words[1]).folded()),
        rear_(front_ ^ key.words[2]) {}

  // Writes one word over and over from begin to the secret, the other from the secret's end to end. Requires that begin, secret
  // and end lie at multiples of word_size from each other, apart by a word at least; no byte of the secret is changed.
  void surround(std::byte* begin, std::byte* secret, std::size_t secret_size, std::byte* end) const {
    for (std::byte* at = begin; at != secret; at += word_size) std::memcpy(at, &front_, word_size);
    const std::uint64_t kept = kept_of_first(secret_size);
    std::byte* at = secret + first_behind(secret_size);
    const std::uint64_t first = (plain_word(at) & kept) | (rear_ & ~kept);
    std::memcpy(at, &first, word_size);
    for (at += word_size; at < end; at += word_size) std::memcpy(at, &rear_, word_size);
  }

  // The same where either side is a single word.
  void flank(std::byte* front, std::byte* rear) const {
    std::memcpy(front, &front_, word_size);
    std::memcpy(rear, &rear_, word_size);
  }
  [[nodiscard]] bool flanks(const std::byte* front, const std::byte* rear) const {
    return ((plain_word(front) ^ front_) | (plain_word(rear) ^ rear_)) == 0;
  }

  // The two words wiped, and what bits are set in either.
  static void wipe(std::byte* front, std::byte* rear) {
    constexpr std::uint64_t nothing = 0;
    std::memcpy(front, &nothing, word_size);
    std::memcpy(rear, &nothing, word_size);
  }
  [[nodiscard]] static std::uint64_t words_beside(const std::byte* front, const std::byte* rear) {
    return plain_word(front) | plain_word(rear);
  }

  // Whether the bytes are so; word_at reads the word at an address.
  template <class WordAt>
  [[nodiscard]] bool surrounds(const std::byte* begin, const std::byte* secret, std::size_t secret_size, const std::byte* end,
                               WordAt word_at) const {
    std::uint64_t difference = 0;
    for (const std::byte* at = begin; at != secret; at += word_size) difference |= word_at(at) ^ front_;
    const std::byte* at = secret + first_behind(secret_size);
    difference |= (word_at(at) ^ rear_) & ~kept_of_first(secret_size);
    for (at += word_size; at < end; at += word_size) difference |= word_at(at) ^ rear_;
    return difference == 0;
  }
  [[nodiscard]] bool surrounds(const std::byte* begin, const std::byte* secret, std::size_t secret_size,
                               const std::byte* end) const {
    return surrounds(begin, secret, secret_size, end, plain_word);
  }

 private:
  static LOCKFAST_UNCHECKED std::uint64_t plain_word(const std::byte* at) {
    std::uint64_t word;
    std::memcpy(&word, at, sizeof word);
    return word;
  }
  // The word in which a secret ends, or that begins where it ends; and the bits of it that are the secret's.
  static std::size_t first_behind(std::size_t secret_size) { return secret_size & ~(word_size - 1); }
  static std::uint64_t kept_of_first(std::size_t secret_size) {
    const std::size_t bits = secret_size % word_size * 8;
    constexpr std::uint64_t every = ~std::uint64_t{0};
    return std::endian::native == std::endian::little ? ~(every << bits) : ~(every >> bits);
  }

  std::uint64_t front_;
  std::uint64_t rear_;
};

}  // namespace lockfast::internal

#endif
