// cipher_batch.cc - the heads of several keystreams in lanes, then message by message.
#include "boojum/crypto/cipher_batch.h"

#include <lockfast/lockfast.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "allocator/cipher/aead_message.h"
#include "allocator/cipher/chacha20_rounds.h"
#include "boojum/crypto/little_endian.h"
#include "platform/vectors.h"

namespace lockfast::internal {
namespace {

using namespace chacha20_rounds;

// Two messages are done sooner one by one.
constexpr std::size_t fewest_together = 3;

// What a batch has of each message before its bytes are looked at.
struct batch_heads {
  batch_heads() = default;
  ~batch_heads() { lockfast_wipe(this, sizeof *this); }
  batch_heads(const batch_heads&) = delete;
  batch_heads& operator=(const batch_heads&) = delete;

  std::byte subkeys[cipher_batch_size][key_size];
  std::byte blocks[cipher_batch_size][aead_message::head_size];
};

template <std::size_t Lanes>
[[gnu::always_inline]] inline void add(lanes<Lanes>& to, std::uint32_t word) {
  lanes<Lanes> all = {};
  spread<Lanes>(all, word);
  to += all;
}

template <std::size_t Lanes>
[[gnu::always_inline]] inline void add(lanes<Lanes>& to, const std::uint32_t (&words)[Lanes]) {
  lanes<Lanes> all;
  std::memcpy(&all, words, sizeof all);
  to += all;
}

// Of the messages begin to begin + Lanes - 1.
template <std::size_t Lanes>
[[gnu::always_inline]] inline void make_heads(const std::byte* key, const nonce* const* nonces, std::size_t begin,
                                              batch_heads& out) {
  constexpr std::size_t nonce_words = nonce_size / sizeof(std::uint32_t);
  std::uint32_t of_nonces[nonce_words][Lanes];
  for (std::size_t lane = 0; lane < Lanes; ++lane) {
    const std::byte* const from = nonces[begin + lane]->data();
    for (std::size_t word = 0; word < nonce_words; ++word) {
      of_nonces[word][lane] = load_little<std::uint32_t>(from + word * sizeof(std::uint32_t));
    }
  }

  lanes<Lanes> words[16];
#pragma GCC unroll 4
  for (std::size_t word = 0; word < 4; ++word) {
    spread<Lanes>(words[word], constants[word]);
    spread<Lanes>(words[4 + word], load_little<std::uint32_t>(key + word * 4));
    spread<Lanes>(words[8 + word], load_little<std::uint32_t>(key + 16 + word * 4));
    std::memcpy(&words[12 + word], of_nonces[word], sizeof words[0]);
  }
  permute<Lanes>(words);
  lanes<Lanes> subkeys[8];
#pragma GCC unroll 4
  for (std::size_t word = 0; word < 4; ++word) subkeys[word] = words[word], subkeys[4 + word] = words[12 + word];

  for (std::uint32_t block = 0; block < 2; ++block) {
#pragma GCC unroll 4
    for (std::size_t word = 0; word < 4; ++word) {
      spread<Lanes>(words[word], constants[word]);
      words[4 + word] = subkeys[word], words[8 + word] = subkeys[4 + word];
    }
    // The fourth row: the counter, and the rest of the nonce behind four zeros.
    spread<Lanes>(words[12], block);
    spread<Lanes>(words[13], 0);
    std::memcpy(&words[14], of_nonces[4], sizeof words[14]);
    std::memcpy(&words[15], of_nonces[5], sizeof words[15]);
    permute<Lanes>(words);
#pragma GCC unroll 4
    for (std::size_t word = 0; word < 4; ++word) {
      add<Lanes>(words[word], constants[word]);
      words[4 + word] += subkeys[word], words[8 + word] += subkeys[4 + word];
    }
    add<Lanes>(words[12], block);
    add<Lanes>(words[14], of_nonces[4]);
    add<Lanes>(words[15], of_nonces[5]);
#pragma GCC unroll 4
    for (std::size_t index = 0; index < 4; ++index) {
      for_each_row<Lanes>(words, index, [&](std::size_t lane, row words_of_lane) __attribute__((always_inline)) {
        store(out.blocks[begin + lane] + block * chacha20::block_size + index * sizeof(row), words_of_lane);
      });
    }
  }

#pragma GCC unroll 8
  for (std::size_t word = 0; word < 8; ++word) words[word] = subkeys[word];
#pragma GCC unroll 2
  for (std::size_t index = 0; index < 2; ++index) {
    for_each_row<Lanes>(words, index, [&](std::size_t lane, row words_of_lane) __attribute__((always_inline)) {
      store(out.subkeys[begin + lane] + index * sizeof(row), words_of_lane);
    });
  }
}

[[gnu::noinline]] void make_by_16_bytes(const std::byte* key, const nonce* const* nonces, std::size_t count, batch_heads& out) {
  for (std::size_t begin = 0; begin < count; begin += 4) make_heads<4>(key, nonces, begin, out);
}

#if defined(__x86_64__)
[[gnu::noinline, gnu::target("avx2")]] void make_by_32_bytes(const std::byte* key, const nonce* const* nonces, std::size_t,
                                                             batch_heads& out) {
  make_heads<8>(key, nonces, 0, out);
}
#else
constexpr auto make_by_32_bytes = make_by_16_bytes;
#endif

// The rest of an extended nonce, as the inner construction has it.
struct inner_nonce {
  explicit inner_nonce(const nonce& once) { std::memcpy(bytes + 4, once.data() + 16, 8); }

  std::byte bytes[aead::short_nonce_size] = {};
};

// Calls act(message, cipher) for each, of which there are no more than a batch.
template <class Act>
void for_each_of(key_view key, std::span<const batched_message> all, Act act) {
  const nonce* nonces[cipher_batch_size];
  for (std::size_t at = 0; at < cipher_batch_size; ++at) nonces[at] = all[at < all.size() ? at : 0].once;
  batch_heads heads;
  const bool by_32 = all.size() > 4 && platform::has_vectors_of_32();
  (by_32 ? make_by_32_bytes : make_by_16_bytes)(key.data(), nonces, all.size(), heads);
  for (std::size_t at = 0; at < all.size(); ++at) {
    const inner_nonce rest(*all[at].once);
    act(all[at], aead_message(heads.subkeys[at], rest.bytes, heads.blocks[at]));
  }
  wipe_traces();  // those below this frame
}

// Each in a frame of its own, which is below the caller's, so that wipe_traces() reaches it.
[[gnu::noinline]] void seal_batch(key_view key, std::span<const batched_message> all) {
  for_each_of(key, all, [](const batched_message& each, const aead_message& cipher) {
    cipher.add_keystream(each.from.data(), each.to, each.from.size());
    cipher.authenticate(each.associated, {each.to, each.from.size()}, *each.tag);
  });
}

[[gnu::noinline]] bool open_batch(key_view key, std::span<const batched_message> all) {
  bool all_authentic = true;
  for_each_of(key, all, [&](const batched_message& each, const aead_message& cipher) {
    std::array<std::byte, tag_size> expected;
    cipher.authenticate(each.associated, each.from, expected);
    const bool authentic = lockfast_equal(expected.data(), each.tag->data(), expected.size()) == 1;
    // The right tag of a message that somebody else made is a forgery.
    lockfast_wipe(expected.data(), expected.size());
    if (authentic) {
      cipher.add_keystream(each.from.data(), each.to, each.from.size());
    } else {
      lockfast_wipe(each.to, each.from.size());
      all_authentic = false;
    }
  });
  return all_authentic;
}

}  // namespace

void seal_together(key_view key, std::span<const batched_message> all) {
  for (; all.size() >= fewest_together; all = all.subspan(std::min(all.size(), cipher_batch_size))) {
    seal_batch(key, all.first(std::min(all.size(), cipher_batch_size)));
    wipe_traces();
  }
  for (const batched_message& each : all) {
    seal(key, *each.once, each.associated, each.from, {each.to, each.from.size()}, *each.tag);
  }
}

bool open_together(key_view key, std::span<const batched_message> all) {
  bool all_authentic = true;
  for (; all.size() >= fewest_together; all = all.subspan(std::min(all.size(), cipher_batch_size))) {
    all_authentic &= open_batch(key, all.first(std::min(all.size(), cipher_batch_size)));
    wipe_traces();
  }
  for (const batched_message& each : all) {
    all_authentic &= open(key, *each.once, each.associated, each.from, *each.tag, {each.to, each.from.size()});
  }
  return all_authentic;
}

}  // namespace lockfast::internal
