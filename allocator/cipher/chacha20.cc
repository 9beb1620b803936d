// chacha20.cc - the rounds in rows and in lanes.
#include "allocator/cipher/chacha20.h"

#include <cstring>

#include "allocator/base/bytes.h"
#include "allocator/cipher/chacha20_rounds.h"
#include "platform/vectors.h"

namespace lockfast::internal {
namespace {

using namespace chacha20_rounds;

// At least twice what the frames of add_keystream() and of what it calls take (gcc 12, clang 19; -O1 and above).
constexpr std::size_t frames_size = 2048;

// ---- In rows ----

template <int Places>
[[gnu::always_inline]] inline void turn(row& words) {
  words = __builtin_shufflevector(words, words, Places, (Places + 1) % 4, (Places + 2) % 4, (Places + 3) % 4);
}

template <std::size_t Count>
[[gnu::always_inline]] inline void double_rounds_in_rows(row (&a)[Count], row (&b)[Count], row (&c)[Count], row (&d)[Count]) {
  for (int round = 0; round < double_rounds; ++round) {
    for (std::size_t at = 0; at < Count; ++at) quarter_rounds(a[at], b[at], c[at], d[at]);
    for (std::size_t at = 0; at < Count; ++at) turn<1>(b[at]), turn<2>(c[at]), turn<3>(d[at]);
    for (std::size_t at = 0; at < Count; ++at) quarter_rounds(a[at], b[at], c[at], d[at]);
    for (std::size_t at = 0; at < Count; ++at) turn<3>(b[at]), turn<2>(c[at]), turn<1>(d[at]);
  }
}

// Two blocks at once take little longer than one.
void two_blocks(const std::uint32_t (&state)[16], std::uint32_t counter, std::byte* out) {
  row rows[4];
  std::memcpy(rows, state, sizeof rows);
  rows[3][0] = counter;
  const row next = {1, 0, 0, 0};
  row a[2] = {rows[0], rows[0]};
  row b[2] = {rows[1], rows[1]};
  row c[2] = {rows[2], rows[2]};
  row d[2] = {rows[3], rows[3] + next};
  double_rounds_in_rows(a, b, c, d);
  for (std::size_t at = 0; at < 2; ++at) {
    std::byte* const to = out + at * chacha20::block_size;
    store(to, a[at] + rows[0]);
    store(to + 16, b[at] + rows[1]);
    store(to + 32, c[at] + rows[2]);
    store(to + 48, d[at] + (at == 0 ? rows[3] : rows[3] + next));
  }
}

// ---- In lanes ----

// As many blocks as there are lanes.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void add_blocks(const std::uint32_t (&state)[16], std::uint32_t counter, const std::byte* from,
                                              std::byte* to) {
  lanes<Lanes> counters;
  spread<Lanes>(counters, counter);
  for (std::size_t lane = 0; lane < Lanes; ++lane) counters[lane] += static_cast<std::uint32_t>(lane);
  lanes<Lanes> words[16];
#pragma GCC unroll 16
  for (std::size_t word = 0; word < 16; ++word) spread<Lanes>(words[word], state[word]);
  words[12] = counters;
  permute<Lanes>(words);
#pragma GCC unroll 16
  for (std::size_t word = 0; word < 16; ++word) {
    lanes<Lanes> start = counters;
    if (word != 12) spread<Lanes>(start, state[word]);
    words[word] += start;
  }
#pragma GCC unroll 4
  for (std::size_t index = 0; index < 4; ++index) {
    for_each_row<Lanes>(words, index, [&](std::size_t lane, row words_of_lane) __attribute__((always_inline)) {
      const std::size_t offset = lane * chacha20::block_size + index * sizeof(row);
      store(to + offset, load(from + offset) ^ words_of_lane);
    });
  }
}

template <std::size_t Lanes>
[[gnu::always_inline]] inline std::size_t add_all_blocks(const std::uint32_t (&state)[16], std::uint32_t counter,
                                                         const std::byte* from, std::byte* to, std::size_t size) {
  constexpr std::size_t step = Lanes * chacha20::block_size;
  std::size_t done = 0;
  for (; size - done >= step; done += step) {
    add_blocks<Lanes>(state, counter, from + done, to + done);
    counter += static_cast<std::uint32_t>(Lanes);
  }
  return done;
}

[[gnu::noinline]] std::size_t add_by_16_bytes(const std::uint32_t (&state)[16], std::uint32_t counter, const std::byte* from,
                                              std::byte* to, std::size_t size) {
  return add_all_blocks<4>(state, counter, from, to, size);
}

#if defined(__x86_64__)
[[gnu::noinline, gnu::target("avx2")]] std::size_t add_by_32_bytes(const std::uint32_t (&state)[16], std::uint32_t counter,
                                                                   const std::byte* from, std::byte* to, std::size_t size) {
  return add_all_blocks<8>(state, counter, from, to, size);
}
#else
constexpr auto add_by_32_bytes = add_by_16_bytes;
#endif

}  // namespace

chacha20::chacha20(std::span<const std::byte, key_size> key, std::span<const std::byte, nonce_size> nonce) {
  std::memcpy(state_, constants, sizeof constants);
  std::memcpy(state_ + 4, key.data(), key_size);
  state_[12] = 0;
  std::memcpy(state_ + 13, nonce.data(), nonce_size);
  for (std::size_t word = 4; word < 16; ++word) little(state_[word]);
}

chacha20::~chacha20() { wipe(state_, sizeof state_); }

void chacha20::first_blocks(std::span<std::byte, 2 * block_size> out) const { two_blocks(state_, 0, out.data()); }

void chacha20::add_keystream(std::uint32_t counter, const std::byte* from, std::byte* to, std::size_t size) const {
  std::size_t done = 0;
  const auto counter_now = [&] { return counter + static_cast<std::uint32_t>(done / block_size); };
  if (platform::has_vectors_of_32()) done = add_by_32_bytes(state_, counter, from, to, size);
  done += add_by_16_bytes(state_, counter_now(), from + done, to + done, size - done);
  std::byte keystream[2 * block_size];
  while (done < size) {
    const std::size_t part = size - done < sizeof keystream ? size - done : sizeof keystream;
    two_blocks(state_, counter_now(), keystream);
    for (std::size_t at = 0; at < part; ++at) to[done + at] = from[done + at] ^ keystream[at];
    done += part;
  }
  wipe(keystream, sizeof keystream);
}

void hchacha20(std::span<const std::byte, chacha20::key_size> key, std::span<const std::byte, 16> input,
               std::span<std::byte, chacha20::key_size> out) {
  row a[1] = {{constants[0], constants[1], constants[2], constants[3]}};
  row b[1] = {load(key.data())};
  row c[1] = {load(key.data() + sizeof(row))};
  row d[1] = {load(input.data())};
  double_rounds_in_rows(a, b, c, d);
  store(out.data(), a[0]);
  store(out.data() + sizeof(row), d[0]);
}

[[gnu::noinline]] void wipe_traces() {
  std::byte frames[frames_size];
  wipe(frames, sizeof frames);
  platform::wipe_vectors();
}

}  // namespace lockfast::internal
