// canary.h - the bytes in front of an isolated secret that nobody has reason to change (those beside a grouped one are in
// slot_canary.h).
//
// A canary is a keyed mix of the secret's address and of its generation, the count of tenants that its place has had. The
// key is random, 32 bytes for each region of addresses, and lies out of line: one canary that is read tells nothing of
// those in other regions, nothing practical of its neighbours', and does not match after its place has changed hands.
// The mix multiplies 64 by 64 bits and folds the 128-bit product, once for either half, each with two words of the key. It is
// fast and unpredictable, not a message authentication code: whoever reads the key can forge.
//
// Threads: no state.
#ifndef LOCKFAST_ALLOCATOR_BASE_CANARY_H
#define LOCKFAST_ALLOCATOR_BASE_CANARY_H

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

#include "allocator/base/random.h"
#include "platform/access_checker.h"
#include "platform/multiply_wide.h"

namespace lockfast::internal {

struct canary_key {
  std::uint64_t words[4];

  [[nodiscard]] static canary_key make() {
    canary_key key;
    draw_random(std::as_writable_bytes(std::span(key.words)));
    return key;
  }
};

class canary {
 public:
  static constexpr std::size_t size = 16;

  canary(const canary_key& key, const std::byte* address, std::uint64_t generation) {
    const std::uint64_t place = reinterpret_cast<std::uintptr_t>(address);
    words_[0] = platform::wide_product(place ^ key.words[0], generation ^ key.words[1]).folded();
    words_[1] = platform::wide_product(words_[0] ^ key.words[2], place ^ key.words[3]).folded();
  }

  LOCKFAST_UNCHECKED void write(std::byte* at) const { std::memcpy(at, words_, size); }

  [[nodiscard]] LOCKFAST_UNCHECKED bool matches(const std::byte* at) const {
    std::uint64_t found[2];
    std::memcpy(found, at, size);
    return ((found[0] ^ words_[0]) | (found[1] ^ words_[1])) == 0;
  }

  // The same for fewer bytes: the gap of less than an alignment behind a secret is the canary over and over.
  LOCKFAST_UNCHECKED void write_gap(std::byte* at, std::size_t gap) const {
    for (std::size_t done = 0; done < gap; ++done) at[done] = byte(done);
  }

  [[nodiscard]] LOCKFAST_UNCHECKED bool matches_gap(const std::byte* at, std::size_t gap) const {
    bool same = true;
    for (std::size_t done = 0; done < gap; ++done) same &= at[done] == byte(done);
    return same;
  }

 private:
  [[nodiscard]] std::byte byte(std::size_t at) const { return static_cast<std::byte>(words_[(at / 8) % 2] >> (at % 8 * 8)); }

  std::uint64_t words_[2];
};

}  // namespace lockfast::internal

#endif
