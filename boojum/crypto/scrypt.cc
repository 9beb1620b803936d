// scrypt.cc - Salsa20/8 in vectors of a diagonal each, and the walk through memory.
#include "boojum/crypto/scrypt.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <memory>
#include <new>
#include <utility>

#include "boojum/crypto/cipher.h"
#include "boojum/crypto/little_endian.h"
#include "boojum/memory/scratch.h"
#include "boojum/crypto/sha256.h"

namespace lockfast::internal {
namespace {

// Four words of Salsa20's state that one step works on at once: those of a diagonal.
using diagonal = std::uint32_t __attribute__((vector_size(16)));
// The state of Salsa20: word number 5 * i modulo 16 lies at place i, so that its diagonals lie in one piece.
using salsa_block = std::array<diagonal, 4>;

constexpr std::size_t salsa_words = 16;
constexpr std::size_t salsa_size = sizeof(salsa_block);
constexpr std::uint64_t max_memory = std::uint64_t{4} << 30;  // bytes

template <int Bits>
[[gnu::always_inline]] inline diagonal rotl(diagonal words) {
  return (words << Bits) | (words >> (32 - Bits));
}

template <int Places>
[[gnu::always_inline]] inline diagonal turn(diagonal words) {
  return __builtin_shufflevector(words, words, Places, (Places + 1) % 4, (Places + 2) % 4, (Places + 3) % 4);
}

[[gnu::always_inline]] inline void quarter_rounds(diagonal& a, diagonal& b, diagonal& c, diagonal& d) {
  b ^= rotl<7>(a + d);
  c ^= rotl<9>(b + a);
  d ^= rotl<13>(c + b);
  a ^= rotl<18>(d + c);
}

// with ^= other, then Salsa20/8 of it.
[[gnu::always_inline]] inline void salsa20_8(salsa_block& with, const salsa_block& other) {
  for (std::size_t row = 0; row < with.size(); ++row) with[row] ^= other[row];
  auto [a, b, c, d] = with;
  for (int round = 0; round < 8; round += 2) {
    quarter_rounds(a, b, c, d);
    b = turn<3>(b), c = turn<2>(c), d = turn<1>(d);
    quarter_rounds(a, d, c, b);
    b = turn<1>(b), c = turn<2>(c), d = turn<3>(d);
  }
  with[0] += a, with[1] += b, with[2] += c, with[3] += d;
}

// scryptBlockMix: from and to are 2 * half blocks each, apart from one another.
void mix(const salsa_block* from, salsa_block* to, std::size_t half) {
  salsa_block now = from[2 * half - 1];
  for (std::size_t at = 0; at < half; ++at) {
    salsa20_8(now, from[2 * at]);
    to[at] = now;
    salsa20_8(now, from[2 * at + 1]);
    to[half + at] = now;
  }
}

void add(salsa_block* to, const salsa_block* other, std::size_t count) {
  for (std::size_t at = 0; at < count; ++at) {
    for (std::size_t row = 0; row < to[at].size(); ++row) to[at][row] ^= other[at][row];
  }
}

// scryptROMix of bytes, with the memory of 2^cost times as many, and room for twice as many.
void mix_through_memory(std::span<std::byte> bytes, unsigned cost, salsa_block* memory, salsa_block* now) {
  const std::size_t count = bytes.size() / salsa_size;
  const std::size_t half = count / 2;
  salsa_block* next = now + count;
  for (std::size_t at = 0; at < count; ++at) {
    for (std::size_t word = 0; word < salsa_words; ++word) {
      now[at][word / 4][word % 4] = load_little<std::uint32_t>(bytes.data() + at * salsa_size + word * 5 % salsa_words * 4);
    }
  }
  const std::size_t steps = std::size_t{1} << cost;
  for (std::size_t step = 0; step < steps; ++step) {
    std::copy_n(now, count, memory + step * count);
    mix(memory + step * count, now, half);
  }
  for (std::size_t step = 0; step < steps; ++step) {
    add(now, memory + (now[count - 1][0][0] & (steps - 1)) * count, count);
    mix(now, next, half);
    std::swap(now, next);
  }
  for (std::size_t at = 0; at < count; ++at) {
    for (std::size_t word = 0; word < salsa_words; ++word) {
      store_little(bytes.data() + at * salsa_size + word * 5 % salsa_words * 4, std::uint32_t{now[at][word / 4][word % 4]});
    }
  }
}

// PBKDF2 with one iteration (RFC 8018), under the key that hash has.
void spread(hmac_sha256& hash, std::span<const std::byte> salt, std::span<std::byte> out,
            std::span<std::byte, hash_size> last) {
  for (std::uint32_t number = 1; !out.empty(); ++number) {
    const std::array<std::byte, 4> counted = {static_cast<std::byte>(number >> 24), static_cast<std::byte>(number >> 16),
                                              static_cast<std::byte>(number >> 8), static_cast<std::byte>(number)};
    hash.begin();
    hash.add(salt);
    hash.add(counted);
    hash.finish(last);
    const std::size_t taken = std::min(out.size(), last.size());
    std::memcpy(out.data(), last.data(), taken);
    out = out.subspan(taken);
  }
}

}  // namespace

bool scrypt(std::span<const std::byte> password, std::span<const std::byte> salt, unsigned cost, std::uint32_t block,
            std::uint32_t parallel, std::span<std::byte> out) {
  const std::size_t lane = 128 * std::size_t{block};
  const std::uint64_t memory_size = std::uint64_t{lane} << cost;
  // The second limit counts where pointers have 32 bits. NOLINTNEXTLINE(misc-redundant-expression)
  if (memory_size > max_memory || memory_size > SIZE_MAX / 2) return false;
  const std::size_t memory_blocks = static_cast<std::size_t>(memory_size) / salsa_size;
  const std::unique_ptr<salsa_block[]> memory(new (std::nothrow) salsa_block[memory_blocks]);
  hmac_sha256 hash;
  // The lanes, two of them to work in, and the last part of a key.
  const scratch room((parallel + 2) * lane + hash_size);
  if (memory == nullptr || hash.refused() || room.refused()) return false;
  const auto lanes = room.bytes().first(parallel * lane);
  auto* const now = reinterpret_cast<salsa_block*>(room.data() + lanes.size());
  const auto last = room.bytes().last<hash_size>();

  hash.key(password);
  spread(hash, salt, lanes, last);
  for (std::size_t each = 0; each < parallel; ++each) {
    mix_through_memory(lanes.subspan(each * lane, lane), cost, memory.get(), now);
  }
  spread(hash, lanes, out, last);
  lockfast_wipe(memory.get(), static_cast<std::size_t>(memory_size));
  wipe_stack();
  return true;
}

}  // namespace lockfast::internal
