// canary.h - the bytes beside a secret that nobody has reason to change: sixteen in front of an isolated one, eight or more on
// either side of a grouped one.
//
// A canary is a keyed mix of the secret's address and of its generation, the count of tenants that its place has had. The
// key is random, 32 bytes for each region of addresses, and lies out of line: one canary that is read tells nothing of
// those in other regions, nothing practical of its neighbours', and does not match after its place has changed hands.
// The mix multiplies 64 by 64 bits and folds the 128-bit product, once for either half, each with two words of the key. It is
// fast and unpredictable, not a message authentication code: whoever reads the key can forge.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_CANARY_H
#define LOCKFAST_ALLOCATOR_CANARY_H

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "platform/platform.h"

namespace lockfast::internal {

struct canary_key {
  std::uint64_t words[4];

  [[nodiscard]] static canary_key make() {
    canary_key key;
    platform::random(std::as_writable_bytes(std::span(key.words)));
    return key;
  }
};

class canary {
 public:
  static constexpr std::size_t size = 16;

  canary(const canary_key& key, const std::byte* address, std::uint64_t generation) {
    const std::uint64_t place = reinterpret_cast<std::uintptr_t>(address);
    words_[0] = fold(place ^ key.words[0], generation ^ key.words[1]);
    words_[1] = fold(words_[0] ^ key.words[2], place ^ key.words[3]);
  }

  void write(std::byte* at) const { std::memcpy(at, words_, size); }

  [[nodiscard]] bool matches(const std::byte* at) const {
    std::uint64_t found[2];
    std::memcpy(found, at, size);
    return ((found[0] ^ words_[0]) | (found[1] ^ words_[1])) == 0;
  }

  // The same for fewer bytes: the gap of less than an alignment behind a secret is the canary over and over.
  void write_gap(std::byte* at, std::size_t gap) const {
    for (std::size_t done = 0; done < gap; ++done) at[done] = byte(done);
  }

  [[nodiscard]] bool matches_gap(const std::byte* at, std::size_t gap) const {
    bool same = true;
    for (std::size_t done = 0; done < gap; ++done) same &= at[done] == byte(done);
    return same;
  }

  // The same for both sides of a secret: one word of the canary over and over from begin to the secret, the other from the
  // secret's end to end. Requires that begin, secret and end lie at multiples of word_size from each other, apart by a word at
  // least; no byte of the secret is changed.
  static constexpr std::size_t word_size = 8;
  void surround(std::byte* begin, std::byte* secret, std::size_t secret_size, std::byte* end) const {
    for (std::byte* at = begin; at != secret; at += word_size) std::memcpy(at, &words_[0], word_size);
    const std::uint64_t kept = kept_of_first(secret_size);
    std::byte* at = secret + first_behind(secret_size);
    const std::uint64_t first = (plain_word(at) & kept) | (words_[1] & ~kept);
    std::memcpy(at, &first, word_size);
    for (at += word_size; at < end; at += word_size) std::memcpy(at, &words_[1], word_size);
  }

  // The same where either side is a single word.
  void flank(std::byte* front, std::byte* rear) const {
    std::memcpy(front, &words_[0], word_size);
    std::memcpy(rear, &words_[1], word_size);
  }
  [[nodiscard]] bool flanks(const std::byte* front, const std::byte* rear) const {
    return ((plain_word(front) ^ words_[0]) | (plain_word(rear) ^ words_[1])) == 0;
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
    for (const std::byte* at = begin; at != secret; at += word_size) difference |= word_at(at) ^ words_[0];
    const std::byte* at = secret + first_behind(secret_size);
    difference |= (word_at(at) ^ words_[1]) & ~kept_of_first(secret_size);
    for (at += word_size; at < end; at += word_size) difference |= word_at(at) ^ words_[1];
    return difference == 0;
  }
  [[nodiscard]] bool surrounds(const std::byte* begin, const std::byte* secret, std::size_t secret_size,
                               const std::byte* end) const {
    return surrounds(begin, secret, secret_size, end, plain_word);
  }

 private:
  static std::uint64_t plain_word(const std::byte* at) {
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

  static std::uint64_t fold(std::uint64_t a, std::uint64_t b) {
#ifdef __SIZEOF_INT128__
    __extension__ using wide = unsigned __int128;
    const wide product = static_cast<wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
    constexpr std::uint64_t low = 0xffffffffU;
    const std::uint64_t cross = (a >> 32) * (b & low) + (((a & low) * (b & low)) >> 32);
    const std::uint64_t middle = (a & low) * (b >> 32) + (cross & low);
    return (a * b) ^ ((a >> 32) * (b >> 32) + (cross >> 32) + (middle >> 32));
#endif
  }

  [[nodiscard]] std::byte byte(std::size_t at) const { return static_cast<std::byte>(words_[(at / 8) % 2] >> (at % 8 * 8)); }

  std::uint64_t words_[2];
};

}  // namespace lockfast::internal

#endif
