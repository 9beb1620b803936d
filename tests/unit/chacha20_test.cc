// chacha20_test.cc - the stream cipher agrees with its papers, at every length and with vectors of every width.
#include "allocator/cipher/chacha20.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <string_view>
#include <vector>

#include "support/hex.h"

namespace {

using lockfast::internal::chacha20;
using bytes = std::vector<std::byte>;

std::span<const std::byte, chacha20::key_size> key_of(const bytes& from) {
  return std::span<const std::byte, chacha20::key_size>(from.data(), chacha20::key_size);
}

std::span<const std::byte, chacha20::nonce_size> nonce_of(const bytes& from) {
  return std::span<const std::byte, chacha20::nonce_size>(from.data(), chacha20::nonce_size);
}

const bytes paper_key = from_hex("000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f");

// The cipher once more, a word at a time, as the paper writes it.
void add_slowly(const bytes& key, const bytes& nonce, std::uint32_t counter, bytes& over) {
  const auto word_of = [](const std::byte* at) {
    std::uint32_t word = 0;
    for (unsigned byte = 0; byte < 4; ++byte) word |= std::to_integer<std::uint32_t>(at[byte]) << (8 * byte);
    return word;
  };
  for (std::size_t block = 0; block * 64 < over.size(); ++block) {
    std::uint32_t start[16] = {0x61707865, 0x3320646e, 0x79622d32, 0x6b206574};
    for (std::size_t at = 0; at < 8; ++at) start[4 + at] = word_of(key.data() + 4 * at);
    start[12] = counter + static_cast<std::uint32_t>(block);
    for (std::size_t at = 0; at < 3; ++at) start[13 + at] = word_of(nonce.data() + 4 * at);
    std::uint32_t x[16];
    std::memcpy(x, start, sizeof x);
    const auto turn = [](std::uint32_t word, int bits) { return word << bits | word >> (32 - bits); };
    const auto quarter = [&](int a, int b, int c, int d) {
      x[a] += x[b], x[d] = turn(x[d] ^ x[a], 16), x[c] += x[d], x[b] = turn(x[b] ^ x[c], 12);
      x[a] += x[b], x[d] = turn(x[d] ^ x[a], 8), x[c] += x[d], x[b] = turn(x[b] ^ x[c], 7);
    };
    for (int round = 0; round < 10; ++round) {
      quarter(0, 4, 8, 12), quarter(1, 5, 9, 13), quarter(2, 6, 10, 14), quarter(3, 7, 11, 15);
      quarter(0, 5, 10, 15), quarter(1, 6, 11, 12), quarter(2, 7, 8, 13), quarter(3, 4, 9, 14);
    }
    for (std::size_t at = 0; at < 64 && block * 64 + at < over.size(); ++at) {
      over[block * 64 + at] ^= static_cast<std::byte>((x[at / 4] + start[at / 4]) >> (8 * (at % 4)));
    }
  }
}

}  // namespace

TEST_CASE("ChaCha20 gives the keystream of RFC 8439, section 2.3.2") {
  const bytes nonce = from_hex("000000090000004a00000000");
  bytes out(2 * chacha20::block_size);
  const chacha20 stream(key_of(paper_key), nonce_of(nonce));
  stream.first_blocks(std::span<std::byte, 2 * chacha20::block_size>(out.data(), out.size()));
  CHECK(to_hex(std::span(out).subspan(chacha20::block_size)) ==
        "10f1e7e4d13b5915500fdd1fa32071c4c7d1f4c733c068030422aa9ac3d46c4e"
        "d2826446079faa0914c2d705d98b02a2b5129cd1de164eb9cbd083e8a2503c4e");
}

TEST_CASE("ChaCha20 gives the sealed bytes of RFC 8439, section 2.4.2") {
  constexpr std::string_view plain =
      "Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, sunscreen would be it.";
  const bytes nonce = from_hex("000000000000004a00000000");
  bytes out(plain.size());
  const chacha20 stream(key_of(paper_key), nonce_of(nonce));
  stream.add_keystream(1, std::as_bytes(std::span(plain)).data(), out.data(), out.size());
  CHECK(to_hex(out) ==
        "6e2e359a2568f98041ba0728dd0d6981e97e7aec1d4360c20a27afccfd9fae0bf91b65c5524733ab8f593dabcd62b3571639d624e65152ab8f530c"
        "359f"
        "0861d807ca0dbf500d6a6156a38e088a22b65e52bc514d16ccf806818ce91ab77937365af90bbf74a35be6b40b8eedf2785e42874d");
}

TEST_CASE("HChaCha20 gives the subkey of its draft, section 2.2.1") {
  const bytes input = from_hex("000000090000004a0000000031415927");
  bytes out(chacha20::key_size);
  lockfast::internal::hchacha20(key_of(paper_key), std::span<const std::byte, 16>(input.data(), 16),
                                std::span<std::byte, chacha20::key_size>(out.data(), out.size()));
  CHECK(to_hex(out) == "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc");
}

TEST_CASE("many blocks at once are those of one after the other, at any address, in place too") {
  const bytes nonce = from_hex("a0a1a2a3a4a5a6a7a8a9aaab");
  const chacha20 stream(key_of(paper_key), nonce_of(nonce));
  for (const std::size_t size :
       {0U, 1U, 63U, 64U, 65U, 127U, 128U, 129U, 255U, 256U, 257U, 511U, 512U, 639U, 768U, 1100U, 5000U}) {
    CAPTURE(size);
    bytes expected(size);
    for (std::size_t at = 0; at < size; ++at) expected[at] = static_cast<std::byte>(at * 31 + (at >> 8));
    bytes shifted(3);
    shifted.insert(shifted.end(), expected.begin(), expected.end());
    bytes apart(size);
    // A counter of which the lanes carry into the upper bytes.
    constexpr std::uint32_t counter = 0x00fffffd;
    stream.add_keystream(counter, expected.data(), apart.data(), size);
    stream.add_keystream(counter, shifted.data() + 3, shifted.data() + 3, size);
    add_slowly(paper_key, nonce, counter, expected);
    CHECK(apart == expected);
    CHECK(std::equal(expected.begin(), expected.end(), shifted.begin() + 3));
  }
}
